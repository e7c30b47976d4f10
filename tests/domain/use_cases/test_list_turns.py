from datetime import timedelta

import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.turn_records import TurnOutcome, TurnRecord
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.list_turns import ListTurns
from support.management import ManagementHarness

BOT = Slug("bot")


async def test_turns_of_an_earlier_instance_of_the_slug_are_not_shown(management: ManagementHarness) -> None:
    new = await (await management.get(CreateInstance))(NewInstance(slug=BOT, provider="echo"), by=CLI)
    created = new.instance.created_at
    records = [
        TurnRecord(
            slug=BOT,
            request_id=str(seconds),
            at=created + timedelta(seconds=seconds),
            outcome=TurnOutcome.FINISHED,
            milliseconds=1,
        )
        for seconds in (-1, 0, 1)
    ]
    for record in records:
        management.turn_log.note(record)
    page = await (await management.get(ListTurns))(BOT, limit=1)
    assert (page.turns, page.total) == ((records[2],), 2)
    assert (await (await management.get(ListTurns))(BOT, limit=5, offset=1)).turns == (records[1],)


async def test_unknown_instance_is_reported(management: ManagementHarness) -> None:
    with pytest.raises(UnknownInstanceError):
        await (await management.get(ListTurns))(BOT, limit=1)
