"""Stored conversations in a database, copied in bulk."""

from collections.abc import Iterator
from typing import Any

import asyncpg  # type: ignore[import-untyped] # it ships none
import msgspec

from bench.requests import chat_id_of
from polyant.adapters.piccolo.conversation_rows import (
    CONVERSATION,
    LANE,
    MESSAGE,
    conversation_values,
    lane_values,
    message_values,
)
from polyant.container import Container
from polyant.domain.chat import AssistantMessage, UserMessage
from polyant.domain.conversations import API_CHANNEL, Message, MessageId, TurnId
from polyant.domain.instances import Instance, Slug
from polyant.domain.lanes import Lane, LaneKind
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.open_conversation import ConversationKeys, OpenConversation
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo

STORED_MESSAGES = 100
"""The number of messages of each stored conversation, of 200 bytes each."""

_LANE_DEFAULTS = {"not_before": 0, "burst_since": 0, "wake": 0, "epoch": 0, "created_at": 0}
_CONVERSATIONS_AT_ONCE = 500


async def fill_conversations(container: Container, url: str, *, chats: int, others: int) -> None:
    """Lets the instance `plain` keep conversations, and stores that many of them.

    Args:
        container: Gives access to the database.
        url: The URL of the database.
        chats: The number of conversations with the ids that requests use.
        others: The number of conversations with other ids; their texts are those of one conversation.
    """
    repo = await container.get(InstanceRepo)
    found = await repo.get(Slug("plain"))
    if found is None:
        raise LookupError("plain")
    instance = await repo.save(msgspec.structs.replace(found, conversations=True))
    connection = await asyncpg.connect(url)
    try:
        for first in range(0, chats + others, _CONVERSATIONS_AT_ONCE):
            numbers = range(first, min(first + _CONVERSATIONS_AT_ONCE, chats + others))
            await _copy(container, connection, instance, numbers, readable=chats)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def _copy(container: Container, connection: Any, instance: Instance, numbers: range, *, readable: int) -> None:
    keys, hashes = await container.get(ConversationKeys), await container.get(LookupHashes)
    clock = await container.get(Clock)
    lanes, conversations, messages = list[tuple[Any, ...]](), list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    texts: list[Message] = []
    for number in numbers:
        lane_id = await hashes.lane(instance.id, API_CHANNEL, chat_id_of(number))
        lane = Lane(id=lane_id, kind=LaneKind.API, instance=instance.id, channel=API_CHANNEL)
        opened = await keys.draft(lane)
        if number < readable or not texts:
            texts = [*_messages(opened, clock)]
        lanes.append((*lane_values(lane), opened.id, *_LANE_DEFAULTS.values()))
        conversations.append((*conversation_values(opened.conversation)[:-2], STORED_MESSAGES, 0))
        messages += ((opened.id, *message_values(_placed(text, opened.id, at))) for at, text in enumerate(texts))
    await _insert(connection, "lanes", (*LANE, "conversation", *_LANE_DEFAULTS), lanes)
    await _insert(connection, "conversations", CONVERSATION, conversations)
    await _insert(connection, "conversation_messages", ("conversation", *MESSAGE), messages)


def _messages(opened: OpenConversation, clock: Clock) -> Iterator[Message]:
    for number in range(STORED_MESSAGES):
        text = "x" * 200
        content = AssistantMessage(text) if number % 2 else UserMessage.of(text)
        turn = TurnId(f"{opened.id}-{number // 2}")
        yield opened.stored(content, message_id=MessageId(f"{opened.id}-{number}"), turn=turn, at=clock.now())


def _placed(message: Message, conversation: str, at: int) -> Message:
    """Returns the message with ids that are unique in the database."""
    ids = {"id": MessageId(f"{conversation}-{at}"), "turn": TurnId(f"{conversation}-{at // 2}")}
    return msgspec.structs.replace(message, **ids)


async def _insert(connection: Any, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    await connection.copy_records_to_table(table, records=rows, columns=columns)
