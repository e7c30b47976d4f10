"""Admission of turns up to a limit, and interruption of running turns."""

import asyncio
import enum

from polyant.domain.errors import LeaseLostError, ServerBusyError, ServerShuttingDownError, TurnTimeoutError


class Interruption(enum.Enum):
    """The reason for interrupting a turn."""

    CALLER_GONE = enum.auto()
    DEADLINE = enum.auto()
    SHUTDOWN = enum.auto()
    LEASE_LOST = enum.auto()
    """Another process has taken over the turn's conversation."""


class CallerGoneError(Exception):
    """The caller no longer waits for the response."""


class RunningTurn:
    """One admitted turn, which can be interrupted from other tasks."""

    __slots__ = ("_interruption", "_task")

    def __init__(self, task: "asyncio.Task[object]") -> None:
        self._task: asyncio.Task[object] | None = task
        self._interruption: Interruption | None = None

    def interrupt(self, reason: Interruption) -> None:
        """Cancels the task that runs the turn; has no effect after an earlier interruption or the turn's end."""
        if self._task is not None and self._interruption is None:
            self._interruption = reason
            self._task.cancel()

    def end(self, error: BaseException | None) -> BaseException | None:
        """Ends the turn; from now on it can't be interrupted.

        Returns:
            The error that the turn ends with. If an interruption caused a CancelledError, this is the error for that
            interruption, otherwise `error` itself.
        """
        task, self._task = self._task, None
        if self._interruption is None or task is None:
            return error
        cancelled_by_others = task.uncancel() > 0
        if cancelled_by_others or (error is not None and not isinstance(error, asyncio.CancelledError)):
            return error
        match self._interruption:
            case Interruption.CALLER_GONE:
                return CallerGoneError()
            case Interruption.DEADLINE:
                return TurnTimeoutError()
            case Interruption.SHUTDOWN:
                return ServerShuttingDownError()
            case Interruption.LEASE_LOST:
                return LeaseLostError()


class RunningTurns:
    """The running turns of this process.

    Args:
        max_turns: The maximum number of concurrent turns. Turns of channels leave a fifth of it to other callers.
    """

    def __init__(self, *, max_turns: int) -> None:
        self._max_turns = max_turns
        self._max_channel_turns = max(1, max_turns - max_turns // 5)
        self._channel_turns: set[RunningTurn] = set()
        self._turns: set[RunningTurn] = set()
        self._stopping = False
        self._closed = False

    def __len__(self) -> int:
        """Returns the number of running turns."""
        return len(self._turns)

    @property
    def stopping(self) -> bool:
        """Whether the server is about to reject new turns."""
        return self._stopping

    @property
    def active(self) -> int:
        """The number of running turns."""
        return len(self._turns)

    @property
    def max_turns(self) -> int:
        """The maximum number of turns that run at once."""
        return self._max_turns

    def admit(self, *, from_channel: bool = False) -> RunningTurn:
        """Returns a new turn of the current task; it occupies a slot until `release`.

        Args:
            from_channel: Whether a message on a chat platform started the turn: it can wait, other callers can't.

        Raises:
            ServerShuttingDownError: The server is shutting down.
            ServerBusyError: `max_turns` turns are already running, or too many of channels.
        """
        if self._closed:
            raise ServerShuttingDownError
        if len(self._turns) >= self._max_turns:
            raise ServerBusyError
        if from_channel and len(self._channel_turns) >= self._max_channel_turns:
            raise ServerBusyError
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in a task
        turn = RunningTurn(task)
        self._turns.add(turn)
        if from_channel:
            self._channel_turns.add(turn)
        return turn

    def release(self, turn: RunningTurn) -> None:
        """Frees the slot of a turn."""
        self._turns.discard(turn)
        self._channel_turns.discard(turn)

    def announce_close(self) -> None:
        """Announces that new turns will soon be rejected."""
        self._stopping = True

    def close(self) -> None:
        """Rejects new turns from now on."""
        self._stopping = self._closed = True

    def interrupt_all(self) -> None:
        """Interrupts every running turn."""
        for turn in list(self._turns):
            turn.interrupt(Interruption.SHUTDOWN)
