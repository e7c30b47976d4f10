import asyncio

import pytest

from polyant.domain.errors import ServerBusyError, ServerShuttingDownError, TurnTimeoutError
from polyant.domain.running_turns import CallerGoneError, Interruption, RunningTurns

FOREVER = 3_600.0


async def test_closed_register_admits_nothing() -> None:
    turns = RunningTurns(max_turns=1)
    turns.close()
    with pytest.raises(ServerShuttingDownError):
        turns.admit()


async def test_full_register_admits_nothing_until_a_turn_is_released() -> None:
    turns = RunningTurns(max_turns=1)
    turn = turns.admit()
    assert len(turns) == 1
    with pytest.raises(ServerBusyError):
        turns.admit()
    turns.release(turn)
    assert len(turns) == 0
    turns.release(turns.admit())


@pytest.mark.parametrize(("slots", "channel_slots"), [(1, 1), (2, 2), (4, 4), (5, 4), (10, 8), (64, 52)])
async def test_channels_leave_a_fifth_to_other_callers(slots: int, channel_slots: int) -> None:
    turns = RunningTurns(max_turns=slots)
    admitted = [turns.admit(from_channel=True) for _ in range(channel_slots)]
    with pytest.raises(ServerBusyError):
        turns.admit(from_channel=True)
    for _ in range(slots - channel_slots):
        turns.admit()
    with pytest.raises(ServerBusyError):
        turns.admit()
    turns.release(admitted[0])
    turns.admit(from_channel=True)


@pytest.mark.parametrize(
    ("interruption", "error"),
    [
        (Interruption.CALLER_GONE, CallerGoneError),
        (Interruption.DEADLINE, TurnTimeoutError),
        (Interruption.SHUTDOWN, ServerShuttingDownError),
    ],
)
async def test_interruption_cancels_the_task_and_raises_its_error(
    interruption: Interruption, error: type[Exception]
) -> None:
    turn = RunningTurns(max_turns=1).admit()
    turn.interrupt(interruption)
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await asyncio.sleep(FOREVER)
    assert isinstance(turn.end(cancelled.value), error)
    assert current_task().cancelling() == 0


async def test_only_the_first_interruption_counts() -> None:
    turns = RunningTurns(max_turns=1)
    turn = turns.admit()
    turn.interrupt(Interruption.CALLER_GONE)
    turns.interrupt_all()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await asyncio.sleep(FOREVER)
    assert isinstance(turn.end(cancelled.value), CallerGoneError)
    assert current_task().cancelling() == 0


async def test_finished_turn_is_not_interrupted() -> None:
    turn = RunningTurns(max_turns=1).admit()
    assert turn.end(None) is None
    turn.interrupt(Interruption.DEADLINE)
    await asyncio.sleep(0)
    assert current_task().cancelling() == 0


async def test_other_errors_are_unchanged() -> None:
    turn = RunningTurns(max_turns=1).admit()
    error = KeyError("x")
    assert turn.end(error) is error


async def test_external_cancellation_is_propagated() -> None:
    """This holds even if the turn is interrupted at the same moment."""
    turns = RunningTurns(max_turns=1)

    async def run() -> None:
        turn = turns.admit()
        admitted.set()
        try:
            await asyncio.sleep(FOREVER)
        except asyncio.CancelledError as error:
            ended.append(turn.end(error))
            raise

    admitted, ended = asyncio.Event(), list[BaseException | None]()
    task = asyncio.create_task(run())
    await admitted.wait()
    turns.interrupt_all()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert isinstance(ended[0], asyncio.CancelledError)


def current_task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    assert task is not None
    return task
