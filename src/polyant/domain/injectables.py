"""Distinct types for settings and other plain values, so that adapters can have them injected."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NewType, Protocol

from polyant.domain.secrets import SecretText

Environ = NewType("Environ", Mapping[str, str])
"""The environment variables, for adapter-specific settings."""

ScriptFile = NewType("ScriptFile", Path)
"""The path in SCRIPTED_TURNS."""

HttpToolHosts = NewType("HttpToolHosts", frozenset[str])
"""The private hosts of HTTP_TOOL_HOSTS, as `host` or `host:port`."""

OutboundOrigins = NewType("OutboundOrigins", frozenset[str])
"""The origins of OUTBOUND_ORIGINS, as `scheme://host:port`."""

TurnLogDays = NewType("TurnLogDays", int)
"""The retention period of turn metrics, in days."""

PublicUrl = NewType("PublicUrl", str)
"""The https origin of PUBLIC_URL; empty if it isn't set."""

ToolNames = NewType("ToolNames", tuple[str, ...])
"""The names of the tools that instances may have."""


ProcessName = NewType("ProcessName", str)
"""The host and the id of this process, for people."""

LeaseSeconds = NewType("LeaseSeconds", float)
"""The duration of a lease on a conversation, in seconds."""

ConversationDays = NewType("ConversationDays", int)
"""The retention period of messages, in days."""


class MasterKeyring(Iterable[SecretText], Protocol):
    """The master keys, each 64 hex digits, the current one first; re-iterating yields the keys as they are now."""
