"""The contract of the port TurnLog."""

from collections.abc import Awaitable, Callable
from datetime import timedelta, timezone
from typing import Any

import pytest

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instances import Slug
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.turn_records import TurnActivity, TurnFigures, TurnOutcome, TurnPage, TurnRecord
from polyant.testing.contract import Contract, proves
from polyant.testing.manual_clock import START, ManualClock

DAYS = 30
"""The retention period of the log under test."""

_BOT = Slug("bot")
_OTHER = Slug("bot-2")
_NOBODY = Slug("nobody")
_MOMENT = timedelta(microseconds=1)

Close = Callable[[], Awaitable[None]]


def turn_of(slug: Slug = _BOT, **fields: Any) -> TurnRecord:
    """Returns a turn record with those fields."""
    given = {"request_id": "r-1", "at": START, "outcome": TurnOutcome.FINISHED, "milliseconds": 1.5, **fields}
    return TurnRecord(slug=slug, **given)


class TurnLogContract(Contract):
    """The tests that every TurnLog must pass; subclasses provide an empty one, and a function that closes it.

    Tests close the log before they list it, because only closing guarantees that records are stored.
    """

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def turn_log(self, clock: ManualClock) -> TurnLog:
        raise NotImplementedError("return an empty, open TurnLog that keeps turns for DAYS days according to `clock`")

    @pytest.fixture
    def close(self, turn_log: TurnLog) -> Close:
        raise NotImplementedError("return a function that closes `turn_log`, which can still be listed afterwards")

    def test_implements_the_port(self, turn_log: TurnLog) -> None:
        assert isinstance(turn_log, TurnLog)

    async def test_list_is_empty_initially(self, turn_log: TurnLog, close: Close) -> None:
        await close()
        assert await turn_log.list(_BOT, limit=50) == TurnPage((), 0)

    @proves("Stores the metrics of recent turns.")
    @pytest.mark.parametrize("outcome", TurnOutcome)
    async def test_list_returns_records_unchanged(self, turn_log: TurnLog, close: Close, outcome: TurnOutcome) -> None:
        full = turn_of(
            request_id="é'\"{}🙂\\",
            at=START - _MOMENT,
            outcome=outcome,
            milliseconds=0.1 + 0.2,
            first_token_milliseconds=1e-9,
            steps=15,
            tool_calls=50,
            failed_tool_calls=1,
            prompt_tokens=2**53,
            completion_tokens=7,
            cached_tokens=2**53 - 1,
            streamed=True,
            provider="openai",
            error="The provider didn't answer (é🙂)",
        )
        bare = turn_of(at=START - timedelta(days=1), outcome=outcome)
        turn_log.note(full)
        turn_log.note(bare)
        await close()
        assert await turn_log.list(_BOT, limit=50) == TurnPage((full, bare), 2)

    @proves(
        "Returns the stored turns of that slug, newest first, without those past the retention period.",
        "Turns of the same moment are ordered by `note` call, the latest first.",
    )
    async def test_list_orders_newest_first_then_by_note_order(self, turn_log: TurnLog, close: Close) -> None:
        turns = [turn_of(steps=number) for number in range(3)]
        younger, older = turn_of(at=START + _MOMENT), turn_of(at=START - _MOMENT)
        for turn in (younger, *turns, older):
            turn_log.note(turn)
        await close()
        assert (await turn_log.list(_BOT, limit=50)).turns == (younger, *reversed(turns), older)

    async def test_each_slug_has_its_own_turns(self, turn_log: TurnLog, close: Close) -> None:
        mine, other = turn_of(), turn_of(_OTHER)
        for turn in (mine, other):
            turn_log.note(turn)
        await close()
        assert await turn_log.list(_BOT, limit=50) == TurnPage((mine,), 1)
        assert await turn_log.list(_NOBODY, limit=50) == TurnPage((), 0)

    @proves("`limit` and `offset` select the page; `total` ignores them.")
    async def test_limit_and_offset_affect_page_but_not_total(self, turn_log: TurnLog, close: Close) -> None:
        turns = [turn_of(steps=number) for number in range(5)]
        for turn in reversed(turns):
            turn_log.note(turn)
        await close()
        for limit, offset in ((2, 0), (2, 3), (9, 4), (2, 9), (0, 0)):
            page = await turn_log.list(_BOT, limit=limit, offset=offset)
            assert page == TurnPage(tuple(turns[offset : offset + limit]), 5)

    @proves(
        "Pass the current instance's creation time as `since` to exclude the turns of an earlier "
        "instance with the same slug.",
    )
    @pytest.mark.parametrize("hours", [0, 9])
    async def test_turns_before_since_are_excluded(self, turn_log: TurnLog, close: Close, hours: int) -> None:
        """The time zone of `since` doesn't matter."""
        before, at, after = (turn_of(at=START + number * _MOMENT) for number in (-1, 0, 1))
        for turn in (before, at, after):
            turn_log.note(turn)
        await close()
        since = START.astimezone(timezone(timedelta(hours=hours)))
        assert await turn_log.list(_BOT, limit=50, since=since) == TurnPage((after, at), 2)
        assert await turn_log.list(_BOT, limit=1, since=since - _MOMENT) == TurnPage((after,), 3)

    @proves("Returns the stored turns of that slug, newest first, without those past the retention period.")
    async def test_turns_past_retention_period_are_excluded(
        self, turn_log: TurnLog, close: Close, clock: ManualClock
    ) -> None:
        first, second = turn_of(), turn_of(at=START + _MOMENT)
        turn_log.note(first)
        turn_log.note(second)
        await close()
        clock.advance(DAYS * 24 * 60 * 60)
        assert await turn_log.list(_BOT, limit=50) == TurnPage((second, first), 2)
        clock.advance(1e-6)
        assert await turn_log.list(_BOT, limit=50) == TurnPage((second,), 1)
        assert await turn_log.list(_BOT, limit=50, since=START - timedelta(days=9)) == TurnPage((second,), 1)

    @proves(
        "Returns the activity of each of these slugs since that moment, without turns past the retention period.",
    )
    async def test_activity_counts_turns_and_failures_in_the_period(self, turn_log: TurnLog, close: Close) -> None:
        for outcome in TurnOutcome:
            turn_log.note(turn_of(outcome=outcome))
        turn_log.note(turn_of(at=START - _MOMENT))
        turn_log.note(turn_of(_OTHER, at=START + _MOMENT))
        await close()
        begins = {slug: START - timedelta(days=1) for slug in (_BOT, _OTHER, _NOBODY)}
        assert await turn_log.activity(begins, since=START) == {
            _BOT: TurnActivity(turns=len(TurnOutcome), failed=2, last_at=START),
            _OTHER: TurnActivity(turns=1, last_at=START + _MOMENT),
            _NOBODY: TurnActivity(),
        }
        assert await turn_log.activity({}, since=START) == {}

    @proves(
        "Returns the activity of each of these slugs since that moment, without turns past the retention period.",
    )
    @pytest.mark.parametrize("hours", [0, 9])
    async def test_each_slug_of_activity_has_its_own_begin(self, turn_log: TurnLog, close: Close, hours: int) -> None:
        """The time zones of the moments don't matter."""
        for slug in (_BOT, _OTHER):
            turn_log.note(turn_of(slug, at=START - _MOMENT))
            turn_log.note(turn_of(slug))
        await close()
        zone = timezone(timedelta(hours=hours))
        begins = {_BOT: (START - _MOMENT).astimezone(zone), _OTHER: START.astimezone(zone)}
        found = await turn_log.activity(begins, since=(START - _MOMENT).astimezone(zone))
        assert {slug: each.turns for slug, each in found.items()} == {_BOT: 2, _OTHER: 1}
        found = await turn_log.activity(begins, since=(START + _MOMENT).astimezone(zone))
        assert found == {_BOT: TurnActivity(last_at=START), _OTHER: TurnActivity(last_at=START)}

    async def test_last_turn_may_precede_the_period(self, turn_log: TurnLog, close: Close) -> None:
        turn_log.note(turn_of(at=START - _MOMENT))
        await close()
        found = await turn_log.activity({_BOT: START - timedelta(days=1)}, since=START)
        assert found == {_BOT: TurnActivity(last_at=START - _MOMENT)}

    async def test_activity_excludes_turns_of_an_earlier_instance(self, turn_log: TurnLog, close: Close) -> None:
        turn_log.note(turn_of())
        turn_log.note(turn_of(at=START - _MOMENT))
        await close()
        since = START - timedelta(days=1)
        assert await turn_log.activity({_BOT: START}, since=since) == {_BOT: TurnActivity(turns=1, last_at=START)}
        assert await turn_log.activity({_BOT: START + _MOMENT}, since=since) == {_BOT: TurnActivity()}

    @proves(
        "Returns the activity of each of these slugs since that moment, without turns past the retention period.",
    )
    async def test_activity_excludes_turns_past_retention_period(
        self, turn_log: TurnLog, close: Close, clock: ManualClock
    ) -> None:
        turn_log.note(turn_of())
        await close()
        clock.advance(DAYS * 24 * 60 * 60 + 1)
        long_ago = START - timedelta(days=1_000)
        assert await turn_log.activity({_BOT: long_ago}, since=long_ago) == {_BOT: TurnActivity()}

    @proves("Closing the log stores the queued records.")
    async def test_many_turns_are_all_stored(self, turn_log: TurnLog, close: Close) -> None:
        for number in range(3_000):
            turn_log.note(turn_of(steps=number))
        await close()
        page = await turn_log.list(_BOT, limit=10_000)
        assert [turn.steps for turn in page.turns] == [*reversed(range(3_000))]
        assert (await turn_log.figures(_BOT, since=START)).turns == 3_000
        assert (await turn_log.activity({_BOT: START}, since=START))[_BOT].turns == 3_000

    @proves("Returns the figures of the slug's turns since that moment, without turns past the retention period.")
    async def test_figures_add_up_the_turns_of_a_period(self, turn_log: TurnLog, close: Close) -> None:
        for minutes, milliseconds, outcome in (
            (1, 30.0, TurnOutcome.FINISHED),
            (2, 10.5, TurnOutcome.TIMED_OUT),
            (3, 20.25, TurnOutcome.ABANDONED),
            (61, 99.0, TurnOutcome.FAILED),
        ):
            at = START - timedelta(minutes=minutes)
            turn_log.note(
                turn_of(at=at, milliseconds=milliseconds, outcome=outcome, prompt_tokens=2**40, completion_tokens=7)
            )
        turn_log.note(turn_of(_OTHER, milliseconds=1_000.0, prompt_tokens=5))
        await close()
        hour = await turn_log.figures(_BOT, since=START - timedelta(hours=1))
        assert hour == TurnFigures(
            turns=3, failed=1, median_milliseconds=20.25, prompt_tokens=3 * 2**40, completion_tokens=21
        )
        day = await turn_log.figures(_BOT, since=START - timedelta(days=1))
        assert (day.turns, day.failed, day.median_milliseconds) == (4, 2, 20.25)

    @proves("Returns the figures of the slug's turns since that moment, without turns past the retention period.")
    @pytest.mark.parametrize("hours", [0, 9])
    async def test_figures_begin_at_that_moment(self, turn_log: TurnLog, close: Close, hours: int) -> None:
        """The time zone of `since` doesn't matter."""
        for moment in (-1, 0, 1):
            turn_log.note(turn_of(at=START + moment * _MOMENT))
        await close()
        since = START.astimezone(timezone(timedelta(hours=hours)))
        assert (await turn_log.figures(_BOT, since=since)).turns == 2

    @proves("Returns the figures of the slug's turns since that moment, without turns past the retention period.")
    async def test_median_counts_equal_durations(self, turn_log: TurnLog, close: Close) -> None:
        for milliseconds in (30.0, 10.0, 10.0, 20.0, 10.0):
            turn_log.note(turn_of(milliseconds=milliseconds))
        await close()
        assert (await turn_log.figures(_BOT, since=START)).median_milliseconds == 10.0

    async def test_figures_are_empty_without_turns(self, turn_log: TurnLog, close: Close) -> None:
        turn_log.note(turn_of(at=START - timedelta(days=2)))
        await close()
        assert await turn_log.figures(_BOT, since=START - timedelta(days=1)) == TurnFigures()
        assert await turn_log.figures(_NOBODY, since=START - timedelta(days=9)) == TurnFigures()

    @proves("Returns the figures of the slug's turns since that moment, without turns past the retention period.")
    async def test_figures_leave_out_expired_turns(self, turn_log: TurnLog, close: Close) -> None:
        turn_log.note(turn_of(at=START - timedelta(days=DAYS) - _MOMENT))
        turn_log.note(turn_of(at=START - timedelta(days=DAYS)))
        await close()
        assert (await turn_log.figures(_BOT, since=START - timedelta(days=2 * DAYS))).turns == 1

    @proves("Returns the turn of each provider that was stored last, without turns past the retention period.")
    async def test_last_turn_of_each_provider_is_the_one_stored_last(self, turn_log: TurnLog, close: Close) -> None:
        for slug, provider, minutes, outcome in (
            (_BOT, "openai", 5, TurnOutcome.FINISHED),
            (_OTHER, "openai", 9, TurnOutcome.FAILED),
            (_BOT, "anthropic", 7, TurnOutcome.TIMED_OUT),
            (_BOT, None, 1, TurnOutcome.FINISHED),
        ):
            turn_log.note(turn_of(slug, provider=provider, at=START - timedelta(minutes=minutes), outcome=outcome))
        await close()
        found = await turn_log.last_by_provider()
        assert {name: turn.outcome for name, turn in found.items()} == {
            "openai": TurnOutcome.FAILED,
            "anthropic": TurnOutcome.TIMED_OUT,
        }
        assert found["openai"] == turn_of(
            _OTHER, provider="openai", at=START - timedelta(minutes=9), outcome=TurnOutcome.FAILED
        )

    @proves(
        "Only the latest 5,000 stored turns are searched, so that the cost doesn't depend on their number.",
        "A provider without a turn among them is missing.",
    )
    async def test_only_recent_turns_are_searched_for_providers(self, turn_log: TurnLog, close: Close) -> None:
        oldest = START - timedelta(days=DAYS)
        for provider, at in (("old", START), ("edge", oldest), ("expired", oldest - _MOMENT)):
            turn_log.note(turn_of(provider=provider, at=at))
        for number in range(4_998):
            turn_log.note(turn_of(provider="new", steps=number))
        await close()
        found = await turn_log.last_by_provider()
        assert {name: turn.steps for name, turn in found.items()} == {"edge": 0, "new": 4_997}

    @proves("Returns the turn of each provider that was stored last, without turns past the retention period.")
    async def test_expired_turn_does_not_hide_an_earlier_one(self, turn_log: TurnLog, close: Close) -> None:
        for at in (START, START - timedelta(days=DAYS) - _MOMENT):
            turn_log.note(turn_of(provider="openai", at=at))
        await close()
        assert await turn_log.last_by_provider() == {"openai": turn_of(provider="openai")}

    @proves("A provider without a turn among them is missing.")
    async def test_no_provider_has_a_turn_initially(self, turn_log: TurnLog, close: Close) -> None:
        await close()
        assert await turn_log.last_by_provider() == {}


class TurnLogOutageContract(Contract):
    """The additional tests for a TurnLog whose store can fail; subclasses provide one with an unavailable store."""

    @pytest.fixture
    def unavailable(self) -> TurnLog:
        raise NotImplementedError("return a TurnLog whose store is unavailable")

    @proves(
        "Queues a turn record and returns immediately; records are stored later, in batches.",
        "This method never fails and never waits.",
    )
    async def test_noting_never_fails(self, unavailable: TurnLog) -> None:
        for _ in range(20_000):
            unavailable.note(turn_of())

    @proves("StorageUnavailableError: The store is unavailable.")
    async def test_list_reports_unavailable_store(self, unavailable: TurnLog) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.list(_BOT, limit=50)

    @proves("StorageUnavailableError: The store is unavailable.")
    async def test_activity_reports_unavailable_store(self, unavailable: TurnLog) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.activity({_BOT: START}, since=START)

    @proves("StorageUnavailableError: The store is unavailable.")
    async def test_figures_report_unavailable_store(self, unavailable: TurnLog) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.figures(_BOT, since=START)

    @proves("StorageUnavailableError: The store is unavailable.")
    async def test_last_turns_report_unavailable_store(self, unavailable: TurnLog) -> None:
        with pytest.raises(StorageUnavailableError):
            await unavailable.last_by_provider()
