"""Two more attempts where that may help, as long as nothing has been said."""

import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from polyant.adapters.llm.failures import CallFailedError
from polyant.domain.chat import ModelEvent
from polyant.domain.errors import ProviderError
from polyant.domain.ports.clock import Clock

_BACKOFFS = (0.3, 1.0)
_JITTER = 0.2
_LONGEST_WAIT = 2.0

_log = logging.getLogger("polyant.llm")


async def with_retries(
    attempt: Callable[[], AsyncGenerator[ModelEvent, None]], *, provider: str, clock: Clock, deadline: float
) -> AsyncGenerator[ModelEvent, None]:
    """Yields the events of the first attempt that succeeds, or fails after its first event.

    Raises:
        ProviderError: The last attempt failed; nothing of what the vendor wrote is in it or in its context.
    """
    backoffs = iter(_BACKOFFS)
    while True:
        began = False
        try:
            async with aclosing(attempt()) as events:
                async for event in events:
                    began = True
                    yield event
        except CallFailedError as error:
            failure = error
        else:
            return
        _log.warning(
            "%s call failed: %s (status %s, vendor's request id %s)",
            provider,
            failure.kind,
            failure.status,
            failure.request_id,
        )
        wait = None if began else _wait_before_next(failure, next(backoffs, None), deadline - clock.monotonic())
        if wait is None:
            break
        await clock.sleep(wait)
    # Raised out here, the error has no context: aiohttp's exceptions carry the request's headers, key included.
    raise ProviderError(provider, failure.kind)


def _wait_before_next(failure: CallFailedError, backoff: float | None, seconds_left: float) -> float | None:
    if not failure.retry or backoff is None:
        return None
    wait = failure.wait
    if wait is None:
        wait = backoff * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads retries, guards nothing
    return wait if wait <= min(_LONGEST_WAIT, seconds_left) else None
