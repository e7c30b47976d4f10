"""Retries a provider call up to twice, as long as it has produced no event."""

import logging
import random
from collections.abc import AsyncGenerator, Callable

from polyant.adapters.llm.failures import CallFailedError
from polyant.domain.chat import ModelEvent
from polyant.domain.errors import ProviderError
from polyant.domain.ports.clock import Clock

_BACKOFFS = (0.3, 1.0)
_JITTER = 0.2
_MAX_WAIT_SECONDS = 2.0

_log = logging.getLogger("polyant.llm")


async def with_retries(
    attempt: Callable[[], AsyncGenerator[ModelEvent, None]], *, provider: str, clock: Clock, deadline: float
) -> AsyncGenerator[ModelEvent, None]:
    """Yields the events of the first attempt that succeeds, or fails after its first event.

    Raises:
        ProviderError: The last attempt failed; the error and its context contain no text from the provider.
    """
    backoffs = iter(_BACKOFFS)
    while True:
        began = False
        try:
            events = attempt()
            try:  # as `aclosing` does, but each call passes here
                async for event in events:
                    began = True
                    yield event
            finally:
                await events.aclose()
        except CallFailedError as error:
            failure = error.with_traceback(None)  # else this frame would refer to itself, with the whole request
        else:
            return
        _log.warning(
            "%s call failed: %s (status %s, provider's request id %s)",
            provider,
            failure.kind,
            failure.status,
            failure.request_id,
        )
        if failure.refused_tools:
            _log.warning("%s refused the tools of the request: %s", provider, ", ".join(failure.refused_tools))
        wait = None if began else _retry_delay(failure, next(backoffs, None), deadline - clock.monotonic())
        if wait is None:
            break
        await clock.sleep(wait)
    # Raised outside the handler, so that it has no context: aiohttp's exceptions contain the headers and the key.
    raise ProviderError(provider, failure.kind, hint=_hint(failure))


def _retry_delay(failure: CallFailedError, backoff: float | None, seconds_left: float) -> float | None:
    if not failure.retry or backoff is None:
        return None
    wait = failure.wait
    if wait is None:
        wait = backoff * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - jitter, not security
    return wait if wait <= min(_MAX_WAIT_SECONDS, seconds_left) else None


def _hint(failure: CallFailedError) -> str | None:
    """Returns the fix for an operator if the provider refused tools."""
    if not failure.refused_tools:
        return None
    names = ", ".join(failure.refused_tools)
    return f"The provider refused the definition of the tool {names}: disable it, or correct its schema"
