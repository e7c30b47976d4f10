import asyncio
import gc
from collections.abc import Callable

import pytest

from polyant.adapters.cache.loading_cache import LoadingCache


class Source:
    """A source that records its loads and completes each one when the test calls `answer`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._answers: list[asyncio.Future[str]] = []

    async def load(self, key: str) -> str:
        self.asked.append(key)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        return await answer

    def answer(self, value: str | Exception) -> None:
        """Completes the oldest pending load."""
        future = self._answers.pop(0)
        if isinstance(value, Exception):
            future.set_exception(value)
        else:
            future.set_result(value)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cache() -> LoadingCache[str, str]:
    return LoadingCache(2)


async def settle() -> None:
    """Runs every task until it waits for an action of the test."""
    for _ in range(10):
        await asyncio.sleep(0)


def ask(cache: LoadingCache[str, str], source: Source, key: str = "a") -> asyncio.Task[str]:
    return asyncio.create_task(cache.get(key, source.load))


async def test_value_is_loaded_once(cache: LoadingCache[str, str], source: Source) -> None:
    first = ask(cache, source)
    await settle()
    source.answer("value")
    assert await first == "value"
    assert await cache.get("a", source.load) == "value"
    assert source.asked == ["a"]


async def test_concurrent_callers_share_one_load(cache: LoadingCache[str, str], source: Source) -> None:
    asking = [ask(cache, source) for _ in range(5)]
    await settle()
    source.answer("value")
    assert await asyncio.gather(*asking) == ["value"] * 5
    assert source.asked == ["a"]


async def test_cancelled_caller_does_not_cancel_the_shared_load(cache: LoadingCache[str, str], source: Source) -> None:
    first, second = ask(cache, source), ask(cache, source)
    await settle()
    first.cancel()
    await settle()
    source.answer("value")
    assert await second == "value"
    assert first.cancelled()
    assert await cache.get("a", source.load) == "value"


async def test_failed_load_is_raised_to_all_waiting_callers_and_then_retried(
    cache: LoadingCache[str, str], source: Source
) -> None:
    asking = [ask(cache, source) for _ in range(2)]
    await settle()
    source.answer(ConnectionError())
    assert [type(each) for each in await asyncio.gather(*asking, return_exceptions=True)] == [ConnectionError] * 2
    again = ask(cache, source)
    await settle()
    source.answer("value")
    assert await again == "value"


async def test_failed_load_without_a_waiting_caller_is_not_logged(
    cache: LoadingCache[str, str], source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    asking = ask(cache, source)
    await settle()
    asking.cancel()
    await settle()
    source.answer(ConnectionError())
    await settle()
    del asking  # its traceback keeps the load alive
    gc.collect()
    assert caplog.messages == []


async def test_load_that_began_before_a_drop_is_not_cached(cache: LoadingCache[str, str], source: Source) -> None:
    before = ask(cache, source)
    await settle()
    cache.drop("a")
    source.answer("old")
    assert await before == "old"
    after = ask(cache, source)
    await settle()
    source.answer("new")
    assert await after == "new"
    assert await cache.get("a", source.load) == "new"
    assert source.asked == ["a", "a"]


async def test_caller_after_a_drop_does_not_get_an_earlier_load(cache: LoadingCache[str, str], source: Source) -> None:
    before = ask(cache, source)
    await settle()
    cache.drop("a")
    after = ask(cache, source)
    await settle()
    source.answer("old")
    source.answer("new")
    assert (await before, await after) == ("old", "new")
    assert await cache.get("a", source.load) == "new"


async def test_old_load_that_ends_last_does_not_replace_the_new_value(
    cache: LoadingCache[str, str], source: Source
) -> None:
    before = ask(cache, source)
    await settle()
    cache.clear()
    after = ask(cache, source)
    await settle()
    source._answers.reverse()
    source.answer("new")
    assert await after == "new"
    source.answer("old")
    assert await before == "old"
    assert await cache.get("a", source.load) == "new"


@pytest.mark.parametrize("forget", [lambda cache: cache.drop("a"), lambda cache: cache.clear()])
async def test_dropped_value_is_loaded_again(
    cache: LoadingCache[str, str], source: Source, forget: Callable[[LoadingCache[str, str]], None]
) -> None:
    first = ask(cache, source)
    await settle()
    source.answer("old")
    await first
    forget(cache)
    second = ask(cache, source)
    await settle()
    source.answer("new")
    assert await second == "new"


async def test_least_recently_used_value_is_evicted() -> None:
    cache = LoadingCache[str, str](2)
    asked: list[str] = []

    async def load(key: str) -> str:
        asked.append(key)
        return key.upper()

    for key in "abacab":
        assert await cache.get(key, load) == key.upper()
    assert asked == ["a", "b", "c", "b"]
