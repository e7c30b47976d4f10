"""Claims lanes while the server runs, and answers them."""

import asyncio
import logging

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.injectables import LeaseSeconds, ProcessName
from polyant.domain.lanes import Lease
from polyant.domain.ports.lanes import Lanes
from polyant.domain.running_turns import RunningTurns
from polyant.domain.use_cases.channels.answer_lane import AnswerLane
from polyant.domain.use_cases.channels.channel_wake import ChannelWake

_logger = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_CONTENDED_SECONDS = 0.02
"""The time until a lane that another process is about to take is looked at again."""


class ChannelWorker:
    """Answers the lanes that are due, as many at once as the limit of turns leaves for channels.

    Args:
        lanes: The lanes.
        answer: Does the work of one.
        turns: The running turns of this process; a fifth of its slots is left to callers of /v1.
        wake: Wakes the worker when an event arrived in this process.
        owner: The name of this process.
        lease_seconds: The duration of a lease.
    """

    def __init__(
        self,
        *,
        lanes: Lanes,
        answer: AnswerLane,
        turns: RunningTurns,
        wake: ChannelWake,
        owner: ProcessName,
        lease_seconds: LeaseSeconds,
    ) -> None:
        self._lanes = lanes
        self._answer = answer
        self._turns = turns
        self._wake = wake
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._max_lanes = max(1, turns.max_turns * 4 // 5)

    async def run(self) -> None:
        """Claims lanes until it is cancelled or the server shuts down."""
        while not self._turns.stopping:
            try:
                await self._wake.wait(await self._round())
            except StorageUnavailableError:
                await asyncio.sleep(_POLL_SECONDS)
            except Exception:
                _logger.exception("The lanes of channels can't be polled")
                await asyncio.sleep(_POLL_SECONDS)

    async def close(self) -> None:
        """Gives all lanes back; during a shutdown, running turns may end before, until they are interrupted."""
        while self._turns.stopping and self._tasks and len(self._turns):
            await asyncio.wait(self._tasks, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _round(self) -> float:
        """Claims lanes that are due; returns the seconds until the next poll."""
        while not self._is_full():
            due_in = await self._lanes.due_in()
            if due_in is None or due_in > 0:
                return _POLL_SECONDS if due_in is None else min(due_in, _POLL_SECONDS)
            lease = await self._lanes.claim(owner=self._owner, seconds=self._lease_seconds)
            if lease is None:  # another process was faster, or a transaction still holds the lane
                return _CONTENDED_SECONDS
            self._start(lease)
        return _POLL_SECONDS

    def _is_full(self) -> bool:
        return len(self._tasks) >= self._max_lanes or len(self._turns) >= self._max_lanes or self._turns.stopping

    def _start(self, lease: Lease) -> None:
        task = asyncio.create_task(self._answer(lease))
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._wake()
