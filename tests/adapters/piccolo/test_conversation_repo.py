from polyant.adapters.piccolo.conversation_repo import _STATEMENTS
from polyant.adapters.piccolo.conversation_tables import MessageRow
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.dialects import in_dialects
from polyant.domain.conversations import ConversationId
from polyant.testing.conversation_store import conversation_of, messages_of
from support.conversation_stores import PiccoloConversationStoreRig

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
