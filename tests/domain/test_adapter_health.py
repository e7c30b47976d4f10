"""Adapters say whether they work; a slow or broken answer harms nobody."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from polyant.domain import adapter_health
from polyant.domain.adapter_health import AdapterHealth, CheckedAdapter, HasHealth, degraded
from polyant.domain.errors import AdapterUnavailableError, UnavailableError
from polyant.testing.manual_clock import ManualClock
from support.logs import collected, fields_of


class Adapter:
    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        self._check = check

    async def health(self) -> None:
        await self._check()


async def works() -> None: ...


async def fails() -> None:
    raise UnavailableError("The store is full", hint="Empty it")


async def leaks() -> None:
    raise ConnectionError("redis://user:hunter2@limits refused")


async def hangs() -> None:
    await asyncio.Event().wait()


async def cancels() -> None:
    raise asyncio.CancelledError


def health_of(*checks: Callable[[], Awaitable[None]], essential: bool = False) -> AdapterHealth:
    adapters = [
        CheckedAdapter(group="rate_limiter", name=check.__name__, adapter=Adapter(check), essential=essential)
        for check in checks
    ]
    other = CheckedAdapter(group="tool", name="other", adapter=object(), essential=True)
    return AdapterHealth(adapters=[*adapters, other], clock=ManualClock())


async def test_only_adapters_with_the_method_are_asked() -> None:
    assert isinstance(Adapter(works), HasHealth)
    health = health_of(works)
    assert [each.label for each in health.checkable] == ["rate_limiter works"]
    assert await health.unhealthy() == ()
    assert await health_of().unhealthy() == ()


async def test_each_problem_is_explained_without_the_text_of_unexpected_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_health, "ANSWER_SECONDS", 0.05)
    unhealthy = await health_of(works, fails, leaks, hangs, cancels).unhealthy()
    problems = {each.checked.name: each.problem for each in unhealthy}
    assert problems["fails"] == "The store is full. Empty it"
    assert problems["leaks"].startswith("ConnectionError at ")
    assert "hunter2" not in problems["leaks"]
    assert problems["hangs"] == "it doesn't answer within 0.05 second"
    assert problems["cancels"] == "it cancelled the check"
    assert "works" not in problems


async def test_hanging_check_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_health, "ANSWER_SECONDS", 0.01)
    cancelled = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await health_of(waits).unhealthy()
    await cancelled.wait()


async def test_problem_is_logged_once_a_minute() -> None:
    clock = ManualClock()
    checked = CheckedAdapter(group="rate_limiter", name="acme", adapter=Adapter(fails), essential=False)
    health = AdapterHealth(adapters=[checked], clock=clock)
    with collected("polyant") as records:
        for seconds in (0, 30, 31):
            clock.advance(seconds)
            await health.unhealthy()
    assert [fields_of(record) for record in records] == [
        {"adapter": "rate_limiter acme", "why": "The store is full. Empty it"}
    ] * 2


async def test_essential_adapter_stops_all_turns() -> None:
    assert degraded(await health_of(fails).unhealthy()) == ("rate_limiter fails",)
    with pytest.raises(AdapterUnavailableError, match="The rate limiter is unavailable") as caught:
        degraded(await health_of(fails, essential=True).unhealthy())
    assert caught.value.hint == "The store is full. Empty it"
