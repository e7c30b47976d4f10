"""Where a turn comes from: the request, the channel and the caller."""

import msgspec

from polyant.domain.users import UserId


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about who asked for a turn; None is unknown."""

    key_id: str | None = None
    """The public id of the API key that the caller presented, see `access.key_id_of`."""
    user: str | None = None
    """The end user's id as the calling application names it: the request's `user`."""
    account: UserId | None = None
    """The user of this server whose session it is."""
    channel_user: str | None = None
    """The user's id on the platform of the channel."""
    address: str | None = None
    """The client's IPv4 address or IPv6 /64 network, as rate limits see it."""


class TurnContext(msgspec.Struct, frozen=True, kw_only=True):
    """Where a turn comes from; the same for all of its model calls and tools."""

    request_id: str
    channel: str
    """`api`, `playground`, or the name of a channel adapter."""
    caller: Caller = Caller()
    chat_id: str | None = None
    """The conversation as the caller names it."""
