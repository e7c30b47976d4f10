"""Media of conversations in a table."""

import json
from collections.abc import AsyncGenerator, Collection, Sequence
from datetime import datetime
from typing import Any

from polyant.adapters.piccolo.backend import Work
from polyant.adapters.piccolo.conversation_database import ConversationDatabase
from polyant.adapters.piccolo.conversation_rows import microseconds, moment_of
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.dialects import step
from polyant.domain.conversations import ConversationId, MessageId
from polyant.domain.media.stored import MediaAddress, StoredMedia, UnknownMediaError
from polyant.domain.ports.media_store import MediaStore

_COLUMNS = "conversation, message, address, content, at"

_STATEMENTS = {
    "put": f"""
        INSERT INTO conversation_media ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (conversation, address, message) DO NOTHING
    """,
    "get": f"SELECT {_COLUMNS} FROM conversation_media WHERE conversation = $1 AND address = $2 LIMIT 1",
    "drop_of_messages": "DELETE FROM conversation_media WHERE message IN @texts(1) RETURNING number",
    "drop_of_conversations": "DELETE FROM conversation_media WHERE conversation IN @texts(1) RETURNING number",
    "drop_old": """
        DELETE FROM conversation_media WHERE number IN (
            SELECT number FROM conversation_media WHERE at < $1 ORDER BY at LIMIT $2
        ) RETURNING number
    """,
    "has_old": "SELECT number FROM conversation_media WHERE at < $1 LIMIT 1",
    "next": f"SELECT number, {_COLUMNS} FROM conversation_media WHERE number > $1 ORDER BY number LIMIT 1",
}


class PiccoloMediaStore(MediaStore):
    """Keeps media in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = ConversationDatabase(database, _STATEMENTS)

    async def put(self, item: StoredMedia) -> None:
        at = microseconds(item.at)
        await self._database.write("put", item.conversation, item.message, item.address, item.content, at)

    async def get(self, conversation: ConversationId, address: MediaAddress) -> StoredMedia:
        if "\0" in conversation + address:  # PostgreSQL rejects NUL in parameters
            raise UnknownMediaError
        rows = await self._database.read("get", conversation, address)
        if not rows:
            raise UnknownMediaError
        return _item_of(rows[0])

    async def delete(
        self, *, messages: Collection[MessageId] = (), conversations: Collection[ConversationId] = ()
    ) -> None:
        if messages or conversations:
            given = json.dumps([*messages]), json.dumps([*conversations])
            if await self._database.transact(lambda: self._delete(*given)):
                await self._database.forget()

    async def expire(self, before: datetime, *, limit: int) -> bool:
        due = microseconds(before)
        if not await self._database.read("has_old", due):
            return True
        await self._database.write("drop_old", due, limit)
        await self._database.forget()
        return not await self._database.read("has_old", due)

    async def export(self) -> AsyncGenerator[StoredMedia, None]:
        number = -1
        while rows := await self._database.read("next", number):
            number, *columns = rows[0]
            yield _item_of(columns)

    def _delete(self, messages: str, conversations: str) -> Work[bool]:
        sql = self._database.sql
        dropped = yield from step(sql["drop_of_messages"], messages)
        also = yield from step(sql["drop_of_conversations"], conversations)
        return bool(dropped or also)


def _item_of(columns: Sequence[Any]) -> StoredMedia:
    conversation, message, address, content, at = columns
    return StoredMedia(
        conversation=conversation, message=message, address=address, content=bytes(content), at=moment_of(at)
    )
