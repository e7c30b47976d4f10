import pytest

from polyant.adapters.piccolo.backend import Work
from polyant.adapters.piccolo.conversation_repo import _STATEMENTS
from polyant.adapters.piccolo.conversation_rows import duration, lane_values, message_values
from polyant.adapters.piccolo.conversation_tables import MessageRow
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.dialects import in_dialects, step
from polyant.adapters.piccolo.lane_acquiring import ACQUIRE_STATEMENTS
from polyant.adapters.piccolo.sql import NO_LIMIT
from polyant.domain.conversations import ConversationId, TurnId
from polyant.domain.errors import LeaseLostError
from polyant.domain.lanes import FirstMessage, Lease
from polyant.testing.conversation_store import LEASE, api_lane, conversation_of, messages_of, user_message
from support.conversation_stores import PiccoloConversationStoreRig
from support.row_locks import while_locked

EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN ", "postgres": "EXPLAIN "}


async def test_writing_a_message_reads_only_unanswered_ones(database: PiccoloDatabase) -> None:
    """Otherwise the cost of a turn would grow with its conversation."""
    rig = PiccoloConversationStoreRig(database)
    await rig.conversations.start(conversation_of())
    await rig.conversations.append(ConversationId("conversation-1"), messages_of(3_000))
    await database.write(database.bind(MessageRow).raw("ANALYZE").run)
    values = {"repeated": ("conversation-1", '["d"]', '["m"]'), "answered": ("conversation-1", "turn-9")}
    for name, arguments in values.items():
        statement = in_dialects(_STATEMENTS[name])[database.dialect]
        rows = await database.run(EXPLAIN[database.dialect] + statement, *arguments)
        assert "conversation_messages_unanswered" in str([tuple(row) for row in rows])


async def test_free_lane_is_leased_with_its_conversation(postgres_database: PiccoloDatabase) -> None:
    rig = PiccoloConversationStoreRig(postgres_database)
    conversation = await rig.conversations.start(conversation_of())
    await rig.conversations.append(conversation.id, messages_of(3))
    lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE, newest=2)
    assert lease is not None
    assert lease.found is not None, "so that the turn needs no further statement"
    assert lease.found == await rig.conversations.current(api_lane().id, newest=2)


async def test_lease_contains_no_messages_that_do_not_go_to_the_model(postgres_database: PiccoloDatabase) -> None:
    rig = PiccoloConversationStoreRig(postgres_database)
    conversation = await rig.conversations.start(conversation_of())
    for number, kept in ((10, 10), (1, 6), (4, 10), (1, 6)):
        at = (await rig.conversations.show(conversation.id)).conversation.messages
        await rig.conversations.append(conversation.id, messages_of(at + number)[at:])
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE, newest=10)
        assert lease is not None
        assert lease.found is not None
        assert len(lease.found.messages) == kept
        await rig.lanes.release(lease)


async def test_first_message_is_written_in_one_transaction(database: PiccoloDatabase) -> None:
    rig = PiccoloConversationStoreRig(database)
    conversation = await rig.conversations.start(conversation_of())
    first = FirstMessage(conversation=conversation.id, message=user_message(answered=False))
    lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE, newest=2, first=first)
    assert lease is not None
    assert lease.stored, "so that the turn needs no further statement"


@pytest.mark.parametrize(("name", "expected"), [("acquire_and_write", "on"), ("acquire_and_read", "off")])
async def test_only_a_lease_without_a_message_may_be_lost_in_a_crash(
    postgres_database: PiccoloDatabase, name: str, expected: str
) -> None:
    rig = PiccoloConversationStoreRig(postgres_database)
    conversation = await rig.conversations.start(conversation_of())
    message = (conversation.id, *message_values(user_message(answered=False))) if name == "acquire_and_write" else ()
    statement = in_dialects(ACQUIRE_STATEMENTS[name])["postgres"]

    def work() -> Work[str]:
        yield from step("SELECT set_config('synchronous_commit', 'on', true)")
        yield from step(statement, *lane_values(api_lane()), "worker-1", duration(LEASE), 2, NO_LIMIT, *message)
        ((setting,),) = yield from step("SELECT current_setting('synchronous_commit')")
        return str(setting)

    assert await postgres_database.transact(work) == expected


@pytest.mark.parametrize(
    ("is_leased", "change"),
    [(True, "owner = NULL, due_at = NULL"), (False, "epoch = epoch + 1"), (False, "conversation = 'other'")],
    ids=["released", "leased and released", "moved on"],
)
async def test_lease_that_had_to_wait_contains_no_conversation(
    postgres_database: PiccoloDatabase, *, is_leased: bool, change: str
) -> None:
    """The statement doesn't see what the previous holder stored after it began."""
    rig = PiccoloConversationStoreRig(postgres_database)
    await rig.conversations.start(conversation_of())
    if is_leased:
        assert await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE) is not None
    first = FirstMessage(conversation=ConversationId("conversation-1"), message=user_message(answered=False))
    call = rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE, newest=9, first=first)

    (lease,) = await while_locked(postgres_database, f"UPDATE lanes SET {change}", call)  # noqa: S608 - no input
    assert isinstance(lease, Lease)
    assert lease.owner == "worker-2"
    assert lease.found is None
    assert not lease.stored


async def test_lease_that_a_crash_of_the_server_undid_is_lost(postgres_database: PiccoloDatabase) -> None:
    """The lease with the conversation isn't durable at once, so another process can get one with the same epoch."""
    rig = PiccoloConversationStoreRig(postgres_database)
    conversation = await rig.conversations.start(conversation_of())
    undone = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE, newest=1)
    assert undone is not None
    await postgres_database.run("UPDATE lanes SET epoch = epoch - 1, owner = NULL, due_at = NULL")
    lease = await rig.lanes.acquire(api_lane(), owner="worker-2", seconds=LEASE, newest=1)
    assert lease is not None
    assert lease.epoch == undone.epoch
    for options in ({}, {"release": True, "answers": TurnId("turn-1")}):
        with pytest.raises(LeaseLostError):
            await rig.conversations.append(conversation.id, messages_of(1), lease=undone, **options)  # type: ignore[arg-type]
        with pytest.raises(LeaseLostError):
            await rig.conversations.append(conversation.id, messages_of(2), lease=undone, **options)  # type: ignore[arg-type]
    with pytest.raises(LeaseLostError):
        await rig.lanes.renew(undone, seconds=LEASE)
    await rig.lanes.release(undone)
    assert await rig.lanes.renew(lease, seconds=LEASE) == 0
    await rig.conversations.append(conversation.id, messages_of(1), lease=lease)
