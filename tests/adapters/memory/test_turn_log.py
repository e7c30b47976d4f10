from polyant.adapters.memory.turn_log import MemoryTurnLog
from polyant.domain.injectables import TurnLogDays
from polyant.domain.instances import Slug
from polyant.testing.manual_clock import ManualClock
from polyant.testing.turn_log import turn_of


async def test_oldest_turns_beyond_ten_thousand_are_dropped() -> None:
    log = MemoryTurnLog(clock=ManualClock(), turn_log_days=TurnLogDays(1))
    for number in range(10_005):
        log.note(turn_of(steps=number))
    page = await log.list(Slug("bot"), limit=1, offset=9_999)
    assert (page.turns[0].steps, page.total) == (5, 10_000)
