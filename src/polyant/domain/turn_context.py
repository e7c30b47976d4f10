"""The origin of a turn: the request, the channel and the caller."""

import msgspec

from polyant.domain.trace_context import TraceContext
from polyant.domain.users import UserId


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The known facts about the caller of a turn; None means unknown."""

    key_id: str | None = None
    """The public id of the caller's API key, see `access.key_id_of`."""
    user: str | None = None
    """The end user's id in the calling application, from the request's `user` field."""
    account: UserId | None = None
    """The user of this server who owns the session."""
    channel_user: str | None = None
    """The user's id on the channel's platform."""
    address: str | None = None
    """The client's IPv4 address or IPv6 /64 network, as rate limits see it."""


class TurnContext(msgspec.Struct, frozen=True, kw_only=True):
    """The origin of a turn, shared by all of its model calls and tools."""

    request_id: str
    channel: str
    """`api`, `playground`, or the name of a channel adapter."""
    caller: Caller = Caller()
    chat_id: str | None = None
    """The caller's id of the conversation."""

    @property
    def is_from_channel(self) -> bool:
        """Whether a message on a chat platform started the turn."""
        return self.channel not in {"api", "playground"}

    trace: TraceContext | None = None
    """The trace to pass on to providers and MCP servers."""
