"""Limits: rate limits, turn budgets and provider timeouts."""

import math
import re
from typing import Annotated, Self

import msgspec

from polyant.domain.errors import InvalidInputError

_FORM = re.compile(r"\A([0-9]{1,9})/([0-9]{1,9})\Z")


class RateLimit(msgspec.Struct, frozen=True):
    """At most `requests` calls in any window of `seconds`."""

    requests: int
    seconds: int


class TurnBudget(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one turn."""

    max_steps: int = 15
    """Maximum number of model calls, including sub-agents'. The last call gets no tools, so that the model answers."""
    max_tool_calls: int = 50
    turn_seconds: float = 300.0
    tool_seconds: float = 30.0
    """The timeout of one tool run; a tool that delegates to a sub-agent may use the rest of the turn."""


MAX_STEPS = 100
MAX_TOOL_CALLS = 1_000
MAX_LIMIT_SECONDS = 3_600

MaxSteps = Annotated[int, msgspec.Meta(ge=1, le=MAX_STEPS)]
MaxToolCalls = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOOL_CALLS)]
LimitSeconds = Annotated[float, msgspec.Meta(gt=0, le=MAX_LIMIT_SECONDS)]


class TurnLimits(msgspec.Struct, frozen=True, kw_only=True):
    """An instance's own turn limits; None means the server's limit."""

    max_steps: MaxSteps | None = None
    max_tool_calls: MaxToolCalls | None = None
    turn_seconds: LimitSeconds | None = None
    tool_seconds: LimitSeconds | None = None

    def applied_to(self, budget: TurnBudget) -> TurnBudget:
        """Returns the budget with the limits that are set here applied to it."""
        if self == _NO_LIMITS:
            return budget
        own = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        return msgspec.structs.replace(budget, **own)


_NO_LIMITS = TurnLimits()


def check_turn_limits(limits: TurnLimits) -> TurnLimits:
    """Returns the limits if every value is within its bounds.

    Raises:
        InvalidInputError: A value is out of bounds; the message names the field and the bound.
    """
    try:
        return msgspec.convert(msgspec.structs.asdict(limits), TurnLimits)
    except msgspec.ValidationError as error:
        raise InvalidInputError(str(error)) from None


class ProviderTimeouts(msgspec.Struct, frozen=True, kw_only=True):
    """The timeouts for a model provider, in seconds."""

    connect: float = 5.0
    """Until the connection is established."""
    first_token: float = 60.0
    """In a stream, from the request to the first piece of text or reasoning."""
    idle: float = 60.0
    """In a stream, between two reads."""


class LimitState(msgspec.Struct, frozen=True, kw_only=True):
    """A rate limiter's result for one call: whether it passes, and the remaining calls."""

    allowed: bool
    limit: int
    remaining: int
    retry_after: int
    """Whole seconds until the next call would pass; 0 if one would pass now."""
    reset_after: int
    """Whole seconds until all calls are available again."""
    counted: bool = True
    """False for a call that passes because the log was unreachable; the other numbers are then meaningless."""

    @classmethod
    def of_window(cls, limit: RateLimit, hits: int, *, blocking: float, newest: float, allowed: bool) -> Self:
        """Returns the state of a sliding log after a call.

        Args:
            limit: The limit that applied to the call.
            hits: The number of calls in the log now, including this one if it passed.
            blocking: The age in seconds of the call that must leave the log before another passes. It is the oldest
                call, or a later one if a higher limit filled the log. Ignored while more calls would pass.
            newest: The age in seconds of the latest call in the log.
            allowed: Whether this call passed.
        """
        remaining = max(0, limit.requests - hits)
        return cls(
            allowed=allowed,
            limit=limit.requests,
            remaining=remaining,
            retry_after=0 if remaining else max(1, math.ceil(limit.seconds - blocking)),
            reset_after=max(0, math.ceil(limit.seconds - newest)),
        )

    @classmethod
    def unused(cls, limit: RateLimit) -> Self:
        """Returns the state of an empty log."""
        return cls(allowed=True, limit=limit.requests, remaining=limit.requests, retry_after=0, reset_after=0)

    @classmethod
    def uncounted(cls, limit: RateLimit) -> Self:
        """Returns the state for a call that passes without being counted."""
        return cls(
            allowed=True, limit=limit.requests, remaining=limit.requests, retry_after=0, reset_after=0, counted=False
        )


def parse_rate_limit(text: str) -> RateLimit | None:
    """Returns the rate limit for a text such as `20/60` (calls/seconds), or None for `off`.

    Raises:
        InvalidInputError: The text has another format, or one of the numbers is zero.
    """
    if text.strip().lower() == "off":
        return None
    match = _FORM.match(text.strip())
    if match is None or not int(match[1]) or not int(match[2]):
        raise InvalidInputError("A rate limit must be written as calls/seconds, for example 20/60, or off")
    return RateLimit(int(match[1]), int(match[2]))
