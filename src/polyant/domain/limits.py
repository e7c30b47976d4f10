"""Rate limits: how many calls in how long, and what a limiter says of one call."""

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
    """What one turn may spend."""

    max_steps: int = 15
    """Model calls, those of sub-agents included; the last one has no tools, so that the turn ends in an answer."""
    max_tool_calls: int = 50
    turn_seconds: float = 300.0
    tool_seconds: float = 30.0
    """How long one tool may run; one that hands a task to a sub-agent has the rest of the turn."""


MaxSteps = Annotated[int, msgspec.Meta(ge=1, le=100)]
MaxToolCalls = Annotated[int, msgspec.Meta(ge=0, le=1_000)]
LimitSeconds = Annotated[float, msgspec.Meta(gt=0, le=3_600)]


class TurnLimits(msgspec.Struct, frozen=True, kw_only=True):
    """An instance's own limits for its turns; None leaves one as it is for all."""

    max_steps: MaxSteps | None = None
    max_tool_calls: MaxToolCalls | None = None
    turn_seconds: LimitSeconds | None = None
    tool_seconds: LimitSeconds | None = None

    def applied_to(self, budget: TurnBudget) -> TurnBudget:
        """Returns the budget with these limits in place of its own."""
        own = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        return msgspec.structs.replace(budget, **own)


def check_turn_limits(limits: TurnLimits) -> TurnLimits:
    """Returns the limits if each is within its bounds.

    Raises:
        InvalidInputError: One isn't; the message names it and its bound.
    """
    try:
        return msgspec.convert(msgspec.structs.asdict(limits), TurnLimits)
    except msgspec.ValidationError as error:
        raise InvalidInputError(str(error)) from None


class ProviderTimeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long a model provider may take, in seconds."""

    connect: float = 5.0
    """Until the connection stands."""
    first_token: float = 60.0
    """In a stream, from the request to the first piece of the answer, or of what the model thinks before it."""
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
    counted: bool = True
    """False for a call that passes because the log couldn't be asked: the numbers mean nothing then."""

    @classmethod
    def of_window(cls, limit: RateLimit, hits: int, *, blocking: float, newest: float, allowed: bool) -> Self:
        """Returns the state of a sliding log after a call.

        Args:
            limit: What the call was held against.
            hits: How many calls the log holds now, this one included if it passed.
            blocking: The age in seconds of the call that has to leave before another passes: the oldest, or a later
                one in a log that a higher limit filled. It doesn't matter while there is room.
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
    def uncounted(cls, limit: RateLimit) -> Self:
        """Returns the state of a call that passes without being counted."""
        return cls(
            allowed=True, limit=limit.requests, remaining=limit.requests, retry_after=0, reset_after=0, counted=False
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
