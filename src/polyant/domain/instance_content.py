"""The portable content of an instance: all its data except its identity and its secrets."""

from collections.abc import Mapping

import msgspec

from polyant.domain.instances import (
    DEFAULT_HISTORY_MESSAGES,
    DEFAULT_HISTORY_TOKENS,
    HistoryMessages,
    HistoryTokens,
    Instance,
    InstanceStatus,
    JsonObject,
    TranscriptReaders,
)
from polyant.domain.limits import TurnLimits
from polyant.domain.mcp_servers import McpServer
from polyant.domain.prompts import SectionKey


class InstanceContent(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an instance that its operator sets."""

    name: str
    description: str = ""
    status: InstanceStatus = InstanceStatus.ACTIVE
    provider: str
    model: str
    base_url: str | None = None
    temperature: float | None = None
    auth_enabled: bool = False
    conversations: bool = False
    history_tokens: HistoryTokens = DEFAULT_HISTORY_TOKENS
    history_messages: HistoryMessages = DEFAULT_HISTORY_MESSAGES
    transcripts: TranscriptReaders = TranscriptReaders.SUPERADMINS
    image_input: bool = False
    sections: Mapping[SectionKey, str] = {}
    tools: tuple[str, ...] = ()
    limits: TurnLimits = TurnLimits()
    mcp_servers: tuple[McpServer, ...] = ()
    options: Mapping[str, JsonObject] = {}


def content_of(instance: Instance) -> InstanceContent:
    """Returns the portable content of the instance."""
    return InstanceContent(**{name: getattr(instance, name) for name in InstanceContent.__struct_fields__})
