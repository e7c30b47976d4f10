"""The turns that run now: how many there may be, and how each is ended from outside."""

import asyncio
import contextlib
import enum
from types import TracebackType
from typing import Self

from litestar.types import Receive

from polyant.domain.errors import ServerBusyError, ServerShuttingDownError


class Interruption(enum.Enum):
    """Why a turn was ended from outside."""

    CLIENT_GONE = enum.auto()
    SHUTDOWN = enum.auto()


class RunningTurns:
    """Admits turns up to a limit and ends them all when the server stops."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._turns: set[RunningTurn] = set()
        self._closed = False

    def __len__(self) -> int:
        """Returns how many run."""
        return len(self._turns)

    @property
    def closed(self) -> bool:
        """Whether no more turns are admitted."""
        return self._closed

    def admit(self, receive: Receive) -> "RunningTurn":
        """Returns a new turn of the current task, to be used as a context manager.

        Raises:
            ServerShuttingDownError: The server is about to stop.
            ServerBusyError: As many run as may.
        """
        if self._closed:
            raise ServerShuttingDownError
        if len(self._turns) >= self._most:
            raise ServerBusyError
        return RunningTurn(self._turns, receive)

    def close(self) -> None:
        """Admits no more turns."""
        self._closed = True

    def interrupt_all(self) -> None:
        """Ends every turn that still runs."""
        for turn in list(self._turns):
            turn.interrupt(Interruption.SHUTDOWN)


class RunningTurn:
    """One turn: notices when its client goes away, and cancels the task that runs it.

    After `asyncio.CancelledError`, `interrupted()` tells whether it was this turn's own doing.
    """

    def __init__(self, register: "set[RunningTurn]", receive: Receive) -> None:
        self._register = register
        self._receive = receive
        self._interruption: Interruption | None = None
        self._task: asyncio.Task[object]
        self._watcher: asyncio.Task[None]

    def __enter__(self) -> Self:
        """Registers the turn and starts to watch the client."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in a task
        self._task = task
        self._register.add(self)
        self._watcher = asyncio.create_task(self._watch())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forgets the turn."""
        self._register.discard(self)
        self._watcher.cancel()

    def interrupt(self, why: Interruption) -> None:
        """Cancels the turn's task; only the first reason counts."""
        if self._interruption is None:
            self._interruption = why
            self._task.cancel()

    def interrupted(self) -> Interruption | None:
        """Returns why the turn was cancelled and takes the cancellation back, None if somebody else cancelled it."""
        if self._interruption is not None:
            self._task.uncancel()
        return self._interruption

    async def _watch(self) -> None:
        # After the body was read, the server's receive blocks until the client is gone.
        with contextlib.suppress(asyncio.CancelledError):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            self.interrupt(Interruption.CLIENT_GONE)
