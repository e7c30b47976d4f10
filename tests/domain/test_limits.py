import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.errors import InvalidInputError
from polyant.domain.limits import (
    LimitState,
    RateLimit,
    TurnBudget,
    TurnLimits,
    check_turn_limits,
    parse_rate_limit,
)

LIMIT = RateLimit(20, 60)


@given(st.integers(1, 10**9 - 1), st.integers(1, 10**9 - 1))
def test_limit_is_parsed(requests: int, seconds: int) -> None:
    assert parse_rate_limit(f"{requests}/{seconds}") == RateLimit(requests, seconds)


@pytest.mark.parametrize("text", ["20/60", " 20/60\n", "020/060"])
def test_surrounding_spaces_and_leading_zeros_are_ignored(text: str) -> None:
    assert parse_rate_limit(text) == LIMIT


@pytest.mark.parametrize("text", ["off", "OFF", " Off "])
def test_limit_may_be_turned_off(text: str) -> None:
    assert parse_rate_limit(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *["", "20", "20/", "/60", "0/60", "20/0", "-1/60", "1.5/60", "20/60/1", "20 / 60", "no", "1e3/60"],
        *["\u0662/\u0666", "1111111111/60", "20/1111111111"],
    ],
)
def test_invalid_limit_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"for example 20/60, or off"):
        parse_rate_limit(text)


def test_state_with_capacity_reports_the_remaining_calls() -> None:
    state = LimitState.of_window(LIMIT, 5, blocking=30.5, newest=0.0, allowed=True)
    assert state == LimitState(allowed=True, limit=20, remaining=15, retry_after=0, reset_after=60)


def test_state_of_a_full_log_waits_for_the_blocking_call() -> None:
    state = LimitState.of_window(LIMIT, 20, blocking=30.5, newest=12.0, allowed=False)
    assert state == LimitState(allowed=False, limit=20, remaining=0, retry_after=30, reset_after=48)


def test_call_that_takes_the_last_place_passes_and_reports_the_wait() -> None:
    state = LimitState.of_window(LIMIT, 20, blocking=59.9, newest=0.0, allowed=True)
    assert (state.allowed, state.remaining, state.retry_after, state.reset_after) == (True, 0, 1, 60)


def test_log_filled_under_a_higher_limit_has_nothing_left() -> None:
    assert LimitState.of_window(LIMIT, 35, blocking=1.0, newest=0.5, allowed=False).remaining == 0


@given(st.floats(0, 60, exclude_max=True), st.floats(0, 60, exclude_max=True))
def test_waits_are_rounded_up_to_whole_seconds(one: float, other: float) -> None:
    blocking, newest = max(one, other), min(one, other)
    state = LimitState.of_window(LIMIT, 20, blocking=blocking, newest=newest, allowed=False)
    assert 60 - blocking <= state.retry_after < 60 - blocking + 1
    assert 60 - newest <= state.reset_after < 60 - newest + 1
    assert 1 <= state.retry_after <= state.reset_after <= 60


def test_age_too_great_from_clock_skew_still_requires_a_wait() -> None:
    state = LimitState.of_window(LIMIT, 20, blocking=math.nextafter(60, 61), newest=61.0, allowed=False)
    assert (state.retry_after, state.reset_after) == (1, 0)


def test_turn_has_the_default_budget_unless_the_instance_sets_one() -> None:
    assert TurnLimits().applied_to(TurnBudget(turn_seconds=60)) == TurnBudget(turn_seconds=60)
    own = TurnLimits(max_steps=3, max_tool_calls=0, tool_seconds=600)
    assert own.applied_to(TurnBudget(turn_seconds=60)) == TurnBudget(
        max_steps=3, max_tool_calls=0, turn_seconds=60, tool_seconds=600
    )


@pytest.mark.parametrize("limits", [TurnLimits(), TurnLimits(max_steps=1, max_tool_calls=0, turn_seconds=0.1)])
def test_limits_within_their_bounds_are_accepted(limits: TurnLimits) -> None:
    assert check_turn_limits(limits) == limits


@pytest.mark.parametrize(
    "limits",
    [
        TurnLimits(max_steps=0),
        TurnLimits(max_steps=True),
        TurnLimits(max_tool_calls=1_001),
        TurnLimits(turn_seconds=math.nan),
        TurnLimits(tool_seconds=math.inf),
    ],
)
def test_out_of_range_limit_is_refused_by_name(limits: TurnLimits) -> None:
    (name,) = (name for name in TurnLimits.__struct_fields__ if getattr(limits, name) is not None)
    with pytest.raises(InvalidInputError, match=name):
        check_turn_limits(limits)
