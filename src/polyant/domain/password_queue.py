"""Bounds how many passwords are hashed at a time, and how many wait for that."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from polyant.domain.errors import ServerBusyError, ServerShuttingDownError
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.secrets import SecretText


class PasswordQueue:
    """Hashes and verifies passwords for callers that hold a place, a few at a time.

    Trusted callers have places of their own and go first, so that strangers can't keep them waiting. A caller that is
    cancelled leaves the queue, and nothing is hashed for it any more.

    Args:
        hasher: Does the work.
        at_once: The number of passwords that are hashed at the same time.
        max_places: The number of trusted callers, and also that of other callers, that are served or wait.
    """

    def __init__(self, *, hasher: PasswordHasher, at_once: int = 2, max_places: int = 16) -> None:
        self._hasher = hasher
        self._turns = _Turns(at_once)
        self._free_places = {True: max_places, False: max_places}
        self._closed = False

    def close(self) -> None:
        """Refuses new callers and those that wait; work that has begun may end."""
        self._closed = True
        self._turns.refuse_waiting()

    @contextmanager
    def place(self, *, trusted: bool) -> Iterator["PasswordPlace"]:
        """Yields a place in the queue, which is free again after the block.

        Raises:
            ServerBusyError: All places are taken.
            ServerShuttingDownError: The queue is closed.
        """
        if self._closed:
            raise ServerShuttingDownError
        if not self._free_places[trusted]:
            raise ServerBusyError
        self._free_places[trusted] -= 1
        try:
            yield PasswordPlace(self._hasher, self._turns, trusted=trusted)
        finally:
            self._free_places[trusted] += 1

    async def hash(self, password: SecretText) -> str:
        """Returns a hash of the password, for a trusted caller.

        Raises:
            ServerBusyError: All places are taken.
            ServerShuttingDownError: The queue is closed.
        """
        with self.place(trusted=True) as place:
            return await place.hash(password)


class PasswordPlace:
    """A place in the queue; each call waits for its turn, and raises ServerShuttingDownError if the queue closes."""

    def __init__(self, hasher: PasswordHasher, turns: "_Turns", *, trusted: bool) -> None:
        self._hasher = hasher
        self._turns = turns
        self._trusted = trusted

    async def hash(self, password: SecretText) -> str:
        """Returns a hash of the password."""
        async with self._turns.one(trusted=self._trusted):
            return await self._hasher.hash(password)

    async def verify(self, password: SecretText, hashed: str | None) -> bool:
        """Returns whether the password matches the hash; a missing hash takes as long and matches nothing."""
        async with self._turns.one(trusted=self._trusted):
            return await self._hasher.verify(password, hashed)


class _Turns:
    """Lets a number of callers through at a time: the trusted ones first, else in their order."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: dict[bool, deque[asyncio.Future[None]]] = {True: deque(), False: deque()}

    @asynccontextmanager
    async def one(self, *, trusted: bool) -> AsyncIterator[None]:
        """Enters the block when it is the caller's turn."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(self._waiting[trusted])
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, lane: deque[asyncio.Future[None]]) -> None:
        turn = asyncio.get_running_loop().create_future()
        lane.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # it may have been skipped already
                    lane.remove(turn)
            else:
                self._pass_on()
            raise

    def refuse_waiting(self) -> None:
        """Makes the callers that wait raise ServerShuttingDownError."""
        for lane in self._waiting.values():
            while lane:
                turn = lane.popleft()
                if not turn.done():
                    turn.set_exception(ServerShuttingDownError())

    def _pass_on(self) -> None:
        for lane in (self._waiting[True], self._waiting[False]):
            while lane:
                turn = lane.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1
