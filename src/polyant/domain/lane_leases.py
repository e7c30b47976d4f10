"""The lanes that turns of this process hold, and the turns that wait for one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import msgspec

from polyant.domain.conversations import CurrentConversation, LaneId
from polyant.domain.errors import ConversationBusyError, LeaseLostError, StorageUnavailableError
from polyant.domain.history_window import HistoryBudget
from polyant.domain.injectables import LeaseSeconds, ProcessName
from polyant.domain.lanes import FirstMessage, Lane, Lease
from polyant.domain.ports.lanes import Lanes

MAX_WAITING = 4
"""The maximum number of turns of one process that wait for one lane."""

_FIRST_POLL_SECONDS = 0.02
_MAX_POLL_SECONDS = 0.5


class HeldLane:
    """A lane that a turn holds; the lease is renewed until it is released or lost.

    Args:
        lanes: The lanes.
        lease: The lease.
        seconds: The duration of the lease.
        on_loss: Called once if another holder takes the lane.
    """

    def __init__(self, lanes: Lanes, lease: Lease, *, seconds: float, on_loss: Callable[[], None]) -> None:
        self.lease = lease if lease.found is None else msgspec.structs.replace(lease, found=None)
        self._found = lease.found
        self._lanes = lanes
        self._seconds = seconds
        self._on_loss = on_loss
        self._renewal: asyncio.Task[None] | None = None
        self._released = False
        # A timer instead of a task: most turns end before the first renewal.
        self._timer = asyncio.get_running_loop().call_later(seconds / 3, self._begin_renewal)

    def take_found(self) -> CurrentConversation | None:
        """Returns the lane's current conversation once, if the store read it with the lease."""
        found, self._found = self._found, None  # it has up to a thousand texts, and the turn can be long
        return found

    async def release(self) -> None:
        """Ends the lease, if it hasn't ended; an unavailable store leaves it to expire."""
        if self._released:
            return
        self._released = True
        self._stop_renewal()
        with contextlib.suppress(StorageUnavailableError):
            await asyncio.shield(self._lanes.release(self.lease))

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """Stops the renewal for a write that ends the lease; if the context exits normally, the lease has ended."""
        self._stop_renewal()
        yield
        self._released = True

    def _stop_renewal(self) -> None:
        self._timer.cancel()
        if self._renewal is not None:
            self._renewal.cancel()

    def _begin_renewal(self) -> None:
        self._renewal = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        while True:
            try:
                await self._lanes.renew(self.lease, seconds=self._seconds)
            except LeaseLostError:
                self._on_loss()
                return
            except StorageUnavailableError:
                pass  # the next renewal may succeed; a lost lease stores nothing anyway
            await asyncio.sleep(self._seconds / 3)


class LaneLeases:
    """Lets the turns in one lane run one after another, across all workers and hosts.

    Args:
        lanes: The lanes.
        owner: Names this process in leases.
        seconds: The duration of a lease; it is renewed three times as often.
    """

    def __init__(self, *, lanes: Lanes, owner: ProcessName, seconds: LeaseSeconds) -> None:
        self._lanes = lanes
        self._owner = owner
        self._seconds = seconds
        self._queues: dict[LaneId, _Queue] = {}
        self._returning: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def hold(
        self,
        lane: Lane,
        on_loss: Callable[[], None],
        *,
        budget: HistoryBudget | None = None,
        first: Callable[[], FirstMessage] | None = None,
    ) -> AsyncIterator[HeldLane]:
        """Waits for the lane, in the order of the calls in this process, and holds it until the context exits.

        Args:
            lane: The lane.
            on_loss: Called once if another holder takes the lane meanwhile.
            budget: If set, the store may read the current conversation and that much of its history with the lease.
            first: Returns the message that the store may write with the lease, if set; it is called for each attempt.
                `HeldLane.lease` tells whether the store did it.

        Raises:
            ConversationBusyError: `MAX_WAITING` calls already wait for the lane in this process.
            StorageUnavailableError: The store is unavailable.
        """

        def attempt() -> Coroutine[Any, Any, Lease | None]:
            return self._lanes.acquire(
                lane,
                owner=self._owner,
                seconds=self._seconds,
                newest=None if budget is None else budget.messages,
                tokens=None if budget is None else budget.tokens,
                first=None if first is None else first(),
            )

        queue = self._queues.setdefault(lane.id, _Queue())
        if queue.waiting >= MAX_WAITING:
            raise ConversationBusyError
        queue.calls += 1
        try:
            await queue.wait_for_turn()
            try:
                lease = await self._acquire(attempt, queue)
                held = HeldLane(self._lanes, lease, seconds=self._seconds, on_loss=on_loss)
                try:
                    yield held
                finally:
                    await held.release()
            finally:
                queue.end_turn()
        finally:
            queue.calls -= 1
            if not queue.calls:
                del self._queues[lane.id]

    async def _acquire(self, attempt: "_Attempt", queue: "_Queue") -> Lease:
        lease = await self._try(attempt)
        if lease is not None:
            return lease
        delay = _FIRST_POLL_SECONDS
        with queue.wait():
            while lease is None:
                await asyncio.sleep(delay)
                delay = min(2 * delay, _MAX_POLL_SECONDS)
                lease = await self._try(attempt)
        return lease

    async def _try(self, attempt: "_Attempt") -> Lease | None:
        """Returns the lease, or None; a call that is cancelled meanwhile gives its lease back."""
        call = asyncio.ensure_future(attempt())
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            task = asyncio.ensure_future(self._give_back(call))
            self._returning.add(task)
            task.add_done_callback(self._returning.discard)
            raise

    async def _give_back(self, call: asyncio.Future[Lease | None]) -> None:
        with contextlib.suppress(StorageUnavailableError):
            lease = await call
            if lease is not None:
                await self._lanes.release(lease)


_Attempt = Callable[[], Coroutine[Any, Any, Lease | None]]


class _Queue:
    """The calls of this process for one lane, of which one holds it or polls for it."""

    def __init__(self) -> None:
        self.calls = 0
        self.waiting = 0
        self._lock = asyncio.Lock()

    @contextlib.contextmanager
    def wait(self) -> Iterator[None]:
        """Counts the call as waiting inside the context."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    async def wait_for_turn(self) -> None:
        """Waits until no earlier call of this process needs the lane, and makes later ones wait until `end_turn`."""
        with self.wait() if self._lock.locked() else contextlib.nullcontext():
            await self._lock.acquire()

    def end_turn(self) -> None:
        """Lets the next call go on."""
        self._lock.release()
