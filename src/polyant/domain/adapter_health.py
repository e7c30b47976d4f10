"""The health of adapters: each may have a method that says whether it works now."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import msgspec

from polyant.domain.error_places import place_of
from polyant.domain.errors import AdapterUnavailableError, PolyantError
from polyant.domain.ports.clock import Clock

log = logging.getLogger("polyant")

ANSWER_SECONDS = 1.0
"""How long an adapter may take to answer."""

_LOG_INTERVAL_SECONDS = 60.0


@runtime_checkable
class HasHealth(Protocol):
    """An adapter that can say whether it works; the method is optional for adapters of every port."""

    async def health(self) -> None:
        """Returns if the adapter works now.

        It is called at most once a second by each process, and cancelled after `ANSWER_SECONDS`.

        Raises:
            UnavailableError: The adapter doesn't work; operators read the message and the hint.
        """


class CheckedAdapter(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter in use."""

    group: str
    """The entry-point group without its prefix, such as `rate_limiter`."""
    name: str
    adapter: object
    essential: bool
    """Whether no turn can run without the adapter."""

    @property
    def label(self) -> str:
        """The group and the name, as `polyant adapters` shows them."""
        return f"{self.group} {self.name}"


class UnhealthyAdapter(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter that doesn't work, and the reason, for operators."""

    checked: CheckedAdapter
    problem: str


class AdapterHealth:
    """Asks the adapters in use whether they work.

    Args:
        adapters: The adapters in use; those without the method `health` count as healthy.
        clock: Measures the time between log lines.
    """

    def __init__(self, *, adapters: Iterable[CheckedAdapter], clock: Clock) -> None:
        self.checkable = tuple(each for each in adapters if isinstance(each.adapter, HasHealth))
        self._clock = clock
        self._log_again_at: dict[str, float] = {}

    async def unhealthy(self) -> tuple[UnhealthyAdapter, ...]:
        """Returns the adapters that don't work; it takes `ANSWER_SECONDS` at most, and logs each once a minute."""
        if not self.checkable:
            return ()
        tasks = {asyncio.create_task(_check(each.adapter)): each for each in self.checkable}
        try:
            await asyncio.wait(tasks, timeout=ANSWER_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
                task.add_done_callback(_retrieve_exception)
        found = tuple(
            UnhealthyAdapter(checked=checked, problem=problem)
            for task, checked in tasks.items()
            if (problem := _problem(task)) is not None
        )
        self._log(found)
        return found

    def _log(self, found: Iterable[UnhealthyAdapter]) -> None:
        now = self._clock.monotonic()
        for each in found:
            label = each.checked.label
            if now >= self._log_again_at.get(label, now):
                self._log_again_at[label] = now + _LOG_INTERVAL_SECONDS
                log.warning("adapter unavailable", extra={"fields": {"adapter": label, "why": each.problem}})


def degraded(unhealthy: Iterable[UnhealthyAdapter]) -> tuple[str, ...]:
    """Returns the labels of the adapters that don't work, if turns can run without them.

    Raises:
        AdapterUnavailableError: No turn can run without one of them.
    """
    for each in unhealthy:
        if each.checked.essential:
            raise AdapterUnavailableError(each.checked.group.replace("_", " "), hint=each.problem)
    return tuple(each.checked.label for each in unhealthy)


async def _check(adapter: object) -> None:
    assert isinstance(adapter, HasHealth)  # noqa: S101 - narrows the type
    await adapter.health()


def _problem(task: "asyncio.Task[None]") -> str | None:
    """Returns why an adapter doesn't work; an unexpected exception is named without its text, which may be secret."""
    if not task.done():
        return f"it doesn't answer within {ANSWER_SECONDS:g} second"
    if task.cancelled():
        return "it cancelled the check"
    error = task.exception()
    if error is None:
        return None
    return error.explanation if isinstance(error, PolyantError) else f"{type(error).__name__} at {place_of(error)}"


def _retrieve_exception(task: "asyncio.Task[None]") -> None:
    """Retrieves the exception of an abandoned check, so that asyncio doesn't report it."""
    if not task.cancelled():
        task.exception()
