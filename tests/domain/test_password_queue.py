import asyncio
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from polyant.domain.errors import ServerBusyError, ServerShuttingDownError
from polyant.domain.password_queue import PasswordQueue
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.secrets import SecretText
from support.waiting import until


class GatedHasher(PasswordHasher):
    """A hasher that waits for the test before it ends each work, and records the passwords."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.running = 0
        self.max_running = 0
        self._gate = asyncio.Semaphore(0)

    def finish(self, number: int = 1) -> None:
        for _ in range(number):
            self._gate.release()

    async def hash(self, password: SecretText) -> str:
        self.begun.append(password.reveal())
        self.running += 1
        self.max_running = max(self.running, self.max_running)
        try:
            await self._gate.acquire()
        finally:
            self.running -= 1
        return f"${password.reveal()}$"

    async def verify(self, password: SecretText, hashed: str | None) -> bool:
        return await self.hash(password) == hashed


class Rig:
    def __init__(self) -> None:
        self.hasher = GatedHasher()
        self.queue = PasswordQueue(hasher=self.hasher, at_once=2, max_places=4)

    def verify(self, name: str, *, trusted: bool = False) -> "asyncio.Task[bool]":
        async def work() -> bool:
            with self.queue.place(trusted=trusted) as place:
                return await place.verify(SecretText(name), f"${name}$")

        return asyncio.ensure_future(work())

    async def begun(self, *names: str) -> None:
        """Returns once exactly these have begun, in this order."""

        async def have_begun() -> bool:
            return self.hasher.begun == [*names]

        await until(have_begun)


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


async def test_only_a_few_are_hashed_at_a_time_in_their_order(rig: Rig) -> None:
    tasks = [rig.verify(name) for name in "abcd"]
    await rig.begun("a", "b")
    rig.hasher.finish()
    await rig.begun("a", "b", "c")
    rig.hasher.finish(3)
    assert await asyncio.gather(*tasks) == [True] * 4
    assert rig.hasher.max_running == 2


async def test_results_are_those_of_the_hasher(rig: Rig) -> None:
    rig.hasher.finish(3)
    assert await rig.queue.hash(SecretText("a")) == "$a$"
    with rig.queue.place(trusted=False) as place:
        assert await place.verify(SecretText("a"), "$a$") is True
        assert await place.verify(SecretText("a"), None) is False


async def test_caller_without_a_place_is_refused_at_once(rig: Rig, stack: ExitStack) -> None:
    for _ in range(4):
        stack.enter_context(rig.queue.place(trusted=False))
    with pytest.raises(ServerBusyError) as caught, rig.queue.place(trusted=False):
        pass
    assert caught.value.retry_after == 1
    stack.close()
    with rig.queue.place(trusted=False):
        pass


async def test_trusted_callers_have_places_of_their_own_and_go_first(rig: Rig) -> None:
    strangers = [rig.verify(name) for name in "abcd"]
    await rig.begun("a", "b")
    trusted = rig.verify("boss", trusted=True)
    await asyncio.sleep(0)
    rig.hasher.finish()
    await rig.begun("a", "b", "boss")
    rig.hasher.finish(4)
    assert await asyncio.gather(trusted, *strangers) == [True] * 5


async def test_nothing_is_hashed_for_a_cancelled_caller(rig: Rig) -> None:
    tasks = [rig.verify(name) for name in "abcd"]
    await rig.begun("a", "b")
    tasks[2].cancel()
    rig.hasher.finish(3)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [bool, bool, asyncio.CancelledError, bool]
    assert rig.hasher.begun == ["a", "b", "d"]


async def test_cancelling_all_callers_frees_all_places_and_turns(rig: Rig) -> None:
    for _ in range(3):
        tasks = [rig.verify(name) for name in "abcd"]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert rig.hasher.running == 0
    rig.hasher.begun.clear()
    again = [rig.verify(name) for name in "wxyz"]
    await rig.begun("w", "x")
    rig.hasher.finish(4)
    assert await asyncio.gather(*again) == [True] * 4


async def test_caller_cancelled_when_its_turn_comes_passes_it_on(rig: Rig) -> None:
    tasks = [rig.verify(name) for name in "abcd"]
    await rig.begun("a", "b")
    rig.hasher.finish(2)
    await asyncio.gather(*tasks[:2])  # now the turns of c and d have come, but they may not have run yet
    for task in tasks[2:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    rig.hasher.begun.clear()
    again = [rig.verify(name) for name in "xy"]
    await rig.begun("x", "y")
    rig.hasher.finish(2)
    assert await asyncio.gather(*again) == [True] * 2


async def test_failure_of_the_hasher_frees_the_place_and_the_turn(rig: Rig) -> None:
    class Broken(GatedHasher):
        async def hash(self, password: SecretText) -> str:
            raise MemoryError

    queue = PasswordQueue(hasher=Broken(), at_once=1, max_places=1)
    for _ in range(3):
        with pytest.raises(MemoryError):
            await queue.hash(SecretText("a"))


async def test_closed_queue_refuses_new_and_waiting_callers_and_ends_what_has_begun(rig: Rig) -> None:
    tasks = [rig.verify(name, trusted=name == "d") for name in "abcd"]
    await rig.begun("a", "b")
    rig.queue.close()
    refused = await asyncio.gather(*tasks[2:], return_exceptions=True)
    assert [type(error) for error in refused] == [ServerShuttingDownError] * 2
    with pytest.raises(ServerShuttingDownError):
        await rig.queue.hash(SecretText("new"))
    rig.hasher.finish(2)
    assert await asyncio.gather(*tasks[:2]) == [True] * 2
    assert rig.hasher.begun == ["a", "b"]
