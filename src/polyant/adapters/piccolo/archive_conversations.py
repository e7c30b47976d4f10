"""Reads and writes conversations for backups, in the caller's transaction."""

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial

from piccolo.table import Table

from polyant.adapters.piccolo.archive_pages import pages
from polyant.adapters.piccolo.conversation_rows import (
    CONVERSATION,
    LANE,
    MESSAGE,
    conversation_of,
    conversation_values,
    lane_values,
    message_of,
    message_values,
    microseconds,
)
from polyant.adapters.piccolo.conversation_tables import (
    ConversationRow,
    DeliveryRow,
    EventRow,
    IngestKeyRow,
    LaneRow,
    MessageRow,
)
from polyant.adapters.piccolo.database import PiccoloDatabase, Snapshot
from polyant.adapters.piccolo.instance_rows import Row
from polyant.domain.conversations import (
    INDEX_DAY,
    KeyKind,
    StoredConversation,
    StoredMessage,
    WrappedKey,
)
from polyant.domain.lanes import lane_of

_MESSAGES_PER_PAGE = 100
_ROWS_PER_STATEMENT = 500


class ConversationArchive:
    """Copies conversations out of the database and into it.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._conversations = database.bind(ConversationRow)
        self._messages = database.bind(MessageRow)
        self._lanes = database.bind(LaneRow)
        self._keys = database.bind(IngestKeyRow)
        self._work = (database.bind(EventRow), database.bind(DeliveryRow))

    async def items(self, snapshot: Snapshot) -> AsyncIterator[WrappedKey | StoredConversation | StoredMessage]:
        """Yields the key of hashes, the conversations and their messages."""
        key = self._keys.select().where(self._keys.day == INDEX_DAY.isoformat())
        for row in await snapshot.read(key.run):
            yield WrappedKey(kind=KeyKind.INGEST, id=row["day"], key=row["data_key"], wrapped_by=row["wrapped_by"])
        async for page in pages(snapshot, self._conversations, self._conversations.id, ""):
            current = await snapshot.read(partial(self._current, page))
            for row in page:
                conversation = conversation_of(tuple(row[name] for name in CONVERSATION))
                yield StoredConversation(conversation=conversation, is_current=row["id"] in current)
        async for page in pages(
            snapshot, self._messages, self._messages.number, 0, name="number", size=_MESSAGES_PER_PAGE
        ):
            for row in page:
                message = message_of(tuple(row[name] for name in MESSAGE))
                yield StoredMessage(conversation=row["conversation"], message=message)

    async def is_empty(self) -> bool:
        """Returns whether there are no conversations, events and deliveries."""
        for table in (self._conversations, *self._work):
            if await table.exists():
                return False
        return True

    async def clear(self) -> None:
        """Removes all conversations, lanes and keys."""
        for table in (self._messages, self._conversations, self._lanes, self._keys):
            await table.delete(force=True)

    async def add(self, items: Iterable[object]) -> None:
        """Stores the conversations, messages and keys among the items."""
        keys, conversations, lanes, messages = list[Row](), list[Row](), list[Row](), list[Row]()
        for item in items:
            match item:
                case WrappedKey():
                    keys.append({"day": item.id, "data_key": item.key, "wrapped_by": item.wrapped_by})
                case StoredConversation():
                    conversations.append(_conversation_row(item))
                    if item.is_current:
                        lanes.append(_lane_row(item))
                case StoredMessage():
                    values = dict(zip(MESSAGE, message_values(item.message), strict=True))
                    messages.append({"conversation": item.conversation, **values})
        await self._insert(self._keys, keys)
        await self._insert(self._conversations, conversations)
        await self._insert(self._lanes, lanes)
        await self._insert(self._messages, messages)

    async def _current(self, page: Sequence[Row]) -> frozenset[str]:
        lanes = self._lanes
        found = await lanes.select(lanes.conversation).where(lanes.id.is_in([row["lane"] for row in page]))
        return frozenset(row["conversation"] for row in found)

    @staticmethod
    async def _insert(table: type[Table], rows: Sequence[Row]) -> None:
        for first in range(0, len(rows), _ROWS_PER_STATEMENT):
            await table.insert(*(table(**row) for row in rows[first : first + _ROWS_PER_STATEMENT]))


def _conversation_row(item: StoredConversation) -> Row:
    conversation = item.conversation
    row = dict(zip(CONVERSATION, conversation_values(conversation), strict=True))
    return {**row, "messages": conversation.messages, "unanswered": conversation.unanswered}


def _lane_row(item: StoredConversation) -> Row:
    conversation = item.conversation
    row = dict(zip(LANE, lane_values(lane_of(conversation)), strict=True))
    idle = {"not_before": 0, "burst_since": 0, "wake": 0, "epoch": 0, "due_at": None}
    return {
        **row,
        **idle,
        "conversation": conversation.id,
        "created_at": microseconds(conversation.created_at),
    }
