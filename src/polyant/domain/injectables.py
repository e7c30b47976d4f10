"""Types of their own for settings and other plain values, so that adapters can ask for them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NewType, Protocol

from polyant.domain.secrets import SecretText

Environ = NewType("Environ", Mapping[str, str])
"""The environment variables, for settings of an adapter's own."""

ScriptFile = NewType("ScriptFile", Path)
"""The file that SCRIPTED_TURNS names."""

HttpToolHosts = NewType("HttpToolHosts", frozenset[str])
"""The private hosts of HTTP_TOOL_HOSTS, as `host` or `host:port`."""

TurnLogDays = NewType("TurnLogDays", int)
"""How many days the metrics of turns are kept."""

ToolNames = NewType("ToolNames", tuple[str, ...])
"""The names of the tools that instances may have."""


class MasterKeyring(Iterable[SecretText], Protocol):
    """The master keys, the current one first, each 64 hex digits; re-iterating yields the current keys."""
