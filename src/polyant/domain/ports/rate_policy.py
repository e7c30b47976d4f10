"""Port: which rate limits apply to a caller."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from polyant.domain.instances import Slug
from polyant.domain.limits import RateLimit


class RateCaller(msgspec.Struct, frozen=True, kw_only=True):
    """The known facts about a caller.

    A chat request is counted twice: before authentication with only its address, and after it with all facts. The turn
    of a channel is counted once.
    """

    address: str | None = None
    """The client's IPv4 address or IPv6 /64 network; None for channels."""
    instance: Slug | None = None
    """The instance that is called; None before authentication."""
    key_id: str | None = None
    """The public id of the caller's API key; None if the instance requires none."""
    channel: str | None = None
    """The name of the channel; None for /v1."""
    channel_user: str | None = None
    """A keyed hash of the user's id on the channel's platform."""


class CallerLimit(msgspec.Struct, frozen=True):
    """A limit, and the key under which a RateLimiter counts the calls for it."""

    key: str
    limit: RateLimit


@runtime_checkable
class RatePolicy(Protocol):
    """Decides which limits apply to a caller. It counts nothing itself, and makes no I/O."""

    @abstractmethod
    def limits_of(self, caller: RateCaller) -> Sequence[CallerLimit]:
        """Returns the limits in the order in which they are counted; empty if the caller isn't limited.

        Equal callers have equal limits, and each limit has a key of its own. A call that exceeds a limit isn't counted
        for the limits after it.
        """
