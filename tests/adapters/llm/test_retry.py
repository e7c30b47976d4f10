import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime

import aiohttp
import msgspec
import pytest

from polyant.adapters.llm.failures import CallFailedError
from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.adapters.llm.retry import with_retries
from polyant.domain.chat import ModelEvent, ModelFinished, ModelRequest, TextDelta
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import ProviderTimeouts
from polyant.testing.instant_clock import InstantClock
from polyant.testing.manual_clock import ManualClock
from polyant.testing.provider_scripts import events_of
from support.openai_replies import openai_responder
from support.upstream import Reply, ScriptedUpstream

PASSES = CallFailedError(ProviderFailure.OVERLOADED, retry=True)
ANSWER: list[ModelEvent] = [TextDelta("ant"), ModelFinished()]


def attempts(*outcomes: CallFailedError | list[ModelEvent]) -> Callable[[], AsyncGenerator[ModelEvent, None]]:
    """Returns a function whose calls have these outcomes; a failure precedes any event."""
    left: Iterator[CallFailedError | list[ModelEvent]] = iter(outcomes)

    async def attempt() -> AsyncGenerator[ModelEvent, None]:
        outcome = next(left)
        if isinstance(outcome, CallFailedError):
            raise outcome
        for event in outcome:
            yield event

    return attempt


async def outcome_of(
    clock: ManualClock, *outcomes: CallFailedError | list[ModelEvent], deadline: float = 100.0
) -> list[ModelEvent]:
    events = with_retries(attempts(*outcomes), provider="openai", clock=clock, deadline=deadline)
    return [event async for event in events]


def failure_with_delay(seconds: float) -> CallFailedError:
    return CallFailedError(ProviderFailure.RATE_LIMIT, retry=True, wait=seconds)


async def test_delays_are_jittered_and_grow(clock: InstantClock) -> None:
    assert await outcome_of(clock, PASSES, PASSES, ANSWER) == ANSWER
    first, second = clock.waits
    assert 0.24 <= first <= 0.36
    assert 0.8 <= second <= 1.2


async def test_delays_differ_between_calls() -> None:
    clocks = [InstantClock() for _ in range(20)]
    for clock in clocks:
        await outcome_of(clock, PASSES, ANSWER)
    assert len({clock.waits[0] for clock in clocks}) > 1


async def test_retries_end_after_the_second(clock: InstantClock) -> None:
    with pytest.raises(ProviderError) as caught:
        await outcome_of(clock, PASSES, PASSES, PASSES, ANSWER)
    assert (caught.value.provider, caught.value.kind) == ("openai", ProviderFailure.OVERLOADED)


async def test_requested_delay_of_up_to_two_seconds_is_honoured(clock: InstantClock) -> None:
    assert await outcome_of(clock, failure_with_delay(2.0), failure_with_delay(0.0), ANSWER) == ANSWER
    assert clock.waits == [2.0, 0.0]


async def test_longer_requested_delay_fails_at_once(clock: InstantClock) -> None:
    with pytest.raises(ProviderError):
        await outcome_of(clock, failure_with_delay(2.1), ANSWER)
    assert clock.waits == []


async def test_retry_does_not_wait_past_the_deadline(clock: InstantClock) -> None:
    with pytest.raises(ProviderError) as caught:
        await outcome_of(clock, PASSES, ANSWER, deadline=0.2)
    assert (caught.value.kind, clock.waits) == (ProviderFailure.OVERLOADED, [])


async def test_permanent_failure_is_not_retried(clock: InstantClock) -> None:
    with pytest.raises(ProviderError):
        await outcome_of(clock, CallFailedError(ProviderFailure.AUTH), ANSWER)
    assert clock.waits == []


async def test_error_chain_contains_no_provider_or_client_text(clock: InstantClock) -> None:
    with pytest.raises(ProviderError) as caught:
        await outcome_of(clock, CallFailedError(ProviderFailure.AUTH))
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


async def test_failed_call_is_freed_without_garbage_collection(
    clock: InstantClock, no_garbage_collection: None
) -> None:
    attempt = attempts(CallFailedError(ProviderFailure.AUTH))
    freed = weakref.ref(attempt)
    with contextlib.suppress(ProviderError):
        await anext(with_retries(attempt, provider="openai", clock=clock, deadline=100.0))
    del attempt
    assert freed() is None


async def test_delay_can_be_cancelled() -> None:
    clock = ManualClock()
    task = asyncio.create_task(outcome_of(clock, PASSES, ANSWER))
    await clock.sleepers()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        ({"Retry-After": "1.5"}, [1.5]),
        ({"Retry-After-Ms": "250"}, [0.25]),
        ({"Retry-After": format_datetime(ManualClock().now() + timedelta(seconds=2), usegmt=True)}, [2.0]),
    ],
)
async def test_requested_delay_is_read_from_the_response_headers(
    *,
    upstream: ScriptedUpstream,
    http: aiohttp.ClientSession,
    clock: InstantClock,
    model_request: ModelRequest,
    header: dict[str, str],
    waits: list[float],
) -> None:
    upstream.replies.extend([Reply(status=429, headers=header), openai_responder("ant")])
    model = OpenAIChatModel(http=http, clock=clock, timeouts=ProviderTimeouts())
    assert (await events_of(model, msgspec.structs.replace(model_request, stream=False)))[0] == TextDelta("ant")
    assert clock.waits == waits
