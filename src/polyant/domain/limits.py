"""Rate limits: how many calls in how long, and what a limiter says of one call."""

import math
import re
from typing import Self

import msgspec

from polyant.domain.errors import InvalidInputError

_FORM = re.compile(r"\A([0-9]{1,9})/([0-9]{1,9})\Z")


class RateLimit(msgspec.Struct, frozen=True):
    """At most `requests` calls in any window of `seconds`."""

    requests: int
    seconds: int


class ProviderTimeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long a model provider may take, in seconds."""

    connect: float = 5.0
    """Until the connection stands."""
    first_token: float = 60.0
    """In a stream, from the request to the first piece of the answer."""
    idle: float = 60.0
    """In a stream, between two reads."""


class LimitState(msgspec.Struct, frozen=True, kw_only=True):
    """What a limiter says of one call: whether it passes, and what is left."""

    allowed: bool
    limit: int
    remaining: int
    retry_after: int
    """Whole seconds until the next call would pass; 0 if one would pass now."""
    reset_after: int
    """Whole seconds until the whole budget is free again."""

    @classmethod
    def of_window(cls, limit: RateLimit, hits: int, *, oldest: float, newest: float, allowed: bool) -> Self:
        """Returns the state of a sliding log that holds `hits` calls, its oldest and newest so many seconds old."""
        remaining = max(0, limit.requests - hits)
        return cls(
            allowed=allowed,
            limit=limit.requests,
            remaining=remaining,
            retry_after=0 if remaining else max(1, math.ceil(limit.seconds - oldest)),
            reset_after=max(0, math.ceil(limit.seconds - newest)),
        )


def parse_rate_limit(text: str) -> RateLimit | None:
    """Returns the limit that `20/60` (calls/seconds) means, None for `off`.

    Raises:
        InvalidInputError: The text is neither, or one of the numbers is zero.
    """
    if text.strip().lower() == "off":
        return None
    match = _FORM.match(text.strip())
    if match is None or not int(match[1]) or not int(match[2]):
        raise InvalidInputError("A rate limit is written as calls/seconds, for example 20/60, or off")
    return RateLimit(int(match[1]), int(match[2]))
