"""Transactions that lock several lanes or conversations at once."""

from datetime import timedelta

import pytest

from polyant.adapters.piccolo.backend import Work
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.dialects import step
from polyant.domain.conversations import ConversationSelection, KeyReplacement, TurnId
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.lanes import FirstMessage
from polyant.testing.conversation_store import (
    BOT,
    LEASE,
    api_lane,
    conversation_of,
    message_ids,
    messages_of,
    user_message,
)
from polyant.testing.manual_clock import START
from support.conversation_stores import PiccoloConversationStoreRig
from support.row_locks import while_locked

LATER = START + timedelta(days=9)
ATTEMPT = """
    CREATE FUNCTION attempt() RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE number bigint := nextval('attempts');
    BEGIN
        IF number < {} THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = 'deadlock_detected'; END IF;
        RETURN number;
    END $$
"""


@pytest.fixture
async def rig(postgres_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
    """A store whose conversations were created against the order of their ids."""
    rig = PiccoloConversationStoreRig(postgres_database)
    for number in (3, 2, 1):
        conversation = await rig.conversations.start(conversation_of(f"c-{number}", f"lane-{number}"))
        said = [user_message(f"m-{number}-{each}", turn=TurnId(f"t-{number}-{each}")) for each in range(3)]
        await rig.conversations.append(conversation.id, said)
    return rig


def failures_of(results: list[object | BaseException]) -> list[BaseException]:
    return [each for each in results if isinstance(each, BaseException)]


async def test_deletion_of_an_instance_and_expiry_do_not_block_each_other(
    postgres_database: PiccoloDatabase, rig: PiccoloConversationStoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyant.adapters.piccolo.postgres._MAX_DEADLOCKS", 0)
    results = await while_locked(
        postgres_database,
        "UPDATE conversations SET data_key = data_key WHERE id = 'c-3'",
        rig.conversations.delete(ConversationSelection(instance=BOT), limit=1),
        rig.maintenance.expire_messages(LATER, limit=100),
    )
    assert failures_of(results) == []


async def test_rotation_of_keys_and_expiry_do_not_block_each_other(
    postgres_database: PiccoloDatabase, rig: PiccoloConversationStoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyant.adapters.piccolo.postgres._MAX_DEADLOCKS", 0)
    keys = await rig.maintenance.outdated_keys("other", limit=9)
    replacements = [KeyReplacement(old=key, new=key) for key in sorted(keys, key=lambda key: key.id, reverse=True)]
    results = await while_locked(
        postgres_database,
        "SELECT id FROM conversations WHERE id = 'c-1' FOR UPDATE",
        rig.maintenance.expire_messages(LATER, limit=100),
        rig.maintenance.replace_keys(replacements),
    )
    assert failures_of(results) == []


@pytest.mark.parametrize("writes", [False, True])
async def test_turn_that_waits_for_an_expiry_sees_no_deleted_messages(
    postgres_database: PiccoloDatabase, *, writes: bool
) -> None:
    """Its statement read them before, and part of the conversation stays."""
    rig = PiccoloConversationStoreRig(postgres_database)
    conversation = await rig.conversations.start(conversation_of())
    kept = user_message("m-9", at=LATER, turn=TurnId("turn-9"))
    await rig.conversations.append(conversation.id, [*messages_of(3), kept])
    message = user_message("m-10", answered=False, turn=TurnId("turn-10"), at=LATER)
    first = FirstMessage(conversation=conversation.id, message=message) if writes else None
    _, lease = await while_locked(
        postgres_database,
        "UPDATE conversations SET data_key = data_key",
        rig.maintenance.expire_messages(LATER, limit=100),
        rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE, newest=9, first=first),
    )
    assert getattr(lease, "found", "") is None
    assert getattr(lease, "stored", "") is False
    assert await message_ids(rig) == ["m-9"]


async def make_attempt_fail(database: PiccoloDatabase, *, times: int) -> None:
    """Creates a function `attempt` that ends with a deadlock so many times, and then returns the number of calls."""
    await database.run("CREATE SEQUENCE attempts")
    await database.run(ATTEMPT.format(times + 1))


async def test_statement_and_transaction_are_repeated_after_a_deadlock(postgres_database: PiccoloDatabase) -> None:
    await make_attempt_fail(postgres_database, times=2)
    ((number,),) = await postgres_database.run("SELECT attempt()")
    assert number == 3
    await postgres_database.run("SELECT setval('attempts', 1)")

    def work() -> Work[int]:
        ((number,),) = yield from step("SELECT attempt()")
        return int(number)

    assert await postgres_database.transact(work) == 3


async def test_deadlock_that_recurs_is_an_outage(postgres_database: PiccoloDatabase) -> None:
    await make_attempt_fail(postgres_database, times=1_000)
    with pytest.raises(StorageUnavailableError) as raised:
        await postgres_database.run("SELECT attempt()")
    assert raised.value.hint is not None
    assert "deadlock. Try again" in raised.value.hint
