"""Rows of conversations, lanes, events and deliveries, as the domain's structs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import msgspec

from polyant.adapters.piccolo.backend import Row
from polyant.domain.conversations import Conversation, CurrentConversation, History, Message, MessageRole, StoredText
from polyant.domain.lane_work import Delivery, DeliveryState, EventState, StoredEvent
from polyant.domain.lanes import Lane, LaneKind, Lease

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ROLES = {role.value: role for role in MessageRole}
_NO_TOOLS = "[]"

CONVERSATION = (
    *("id", "instance", "lane", "channel", "data_key", "wrapped_by", "user_hash", "label", "client_managed"),
    *("created_at", "updated_at", "messages", "unanswered"),
)
MESSAGE = (
    *("id", "role", "content", "at", "turn", "tokens", "answered", "digest", "platform_id", "sender", "tools"),
    "finish_reason",
)
LANE = ("id", "kind", "instance", "channel", "account", "user_hash")
LEASE = (*LANE, "owner", "epoch", "wake", "conversation")
EVENT = (
    *("id", "lane", "instance", "channel", "account", "event_id", "position", "user_hash", "state", "payload"),
    *("attempts", "error", "received_at"),
)
DELIVERY = (
    *("id", "lane", "instance", "channel", "account", "conversation", "turn", "chunk", "content", "state"),
    *("attempts", "ambiguous", "platform_id", "status", "error", "created_at", "updated_at"),
)

_number = itemgetter(len(MESSAGE))
_NUMBER_IN_CURRENT = itemgetter(4)
_LEASE_NUMBER = -1


def columns(names: Sequence[str], table: str = "") -> str:
    """Returns the columns of a SELECT or RETURNING clause, qualified by the table if one is given."""
    return ", ".join(f"{table}.{name}" if table else name for name in names)


def stored_text(tokens: str) -> str:
    """Returns the columns of a message that `current_of` needs, without the text of one that has more tokens."""
    return f"id, role, CASE WHEN tokens <= {tokens}::bigint THEN content ELSE '' END, tokens, number"


def microseconds(moment: datetime) -> int:
    """Returns a time as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(value: int) -> datetime:
    """Returns the time of microseconds since 1970."""
    return _EPOCH + value * _MICROSECOND


def duration(seconds: float) -> int:
    """Returns seconds as microseconds."""
    return round(seconds * 1_000_000)


def conversation_of(row: Row) -> Conversation:
    """Returns the conversation in the columns of CONVERSATION."""
    return Conversation(
        id=row[0],
        instance=row[1],
        lane=row[2],
        channel=row[3],
        data_key=row[4],
        wrapped_by=row[5],
        user=row[6],
        label=row[7],
        client_managed=bool(row[8]),
        created_at=moment_of(row[9]),
        updated_at=moment_of(row[10]),
        messages=row[11],
        unanswered=row[12],
    )


def conversation_values(conversation: Conversation) -> tuple[object, ...]:
    """Returns the values of a new conversation in the order of CONVERSATION."""
    return (
        *(conversation.id, conversation.instance, conversation.lane, conversation.channel, conversation.data_key),
        *(conversation.wrapped_by, conversation.user, conversation.label, conversation.client_managed),
        *(microseconds(conversation.created_at), microseconds(conversation.updated_at), 0, 0),
    )


def message_of(row: Row) -> Message:
    """Returns the message in the columns of MESSAGE, which are the first ones of the row."""
    # A history has up to a thousand messages, so this neither calls the enum nor decodes empty lists.
    message_id, role, text, at, turn, tokens, answered, digest, platform_id, sender, tools, finish_reason, *_ = row
    return Message(
        id=message_id,
        role=_ROLES[role],
        text=text,
        at=moment_of(at),
        turn=turn,
        tokens=tokens,
        answered=bool(answered),
        digest=digest,
        platform_id=platform_id,
        sender=sender,
        tools=() if tools == _NO_TOOLS else tuple(msgspec.json.decode(tools)),
        finish_reason=finish_reason,
    )


def message_values(message: Message) -> tuple[Any, ...]:
    """Returns the values of a message in the order of MESSAGE."""
    tools = msgspec.json.encode(message.tools).decode()
    return (
        *(message.id, message.role.value, message.text, microseconds(message.at), message.turn, message.tokens),
        *(message.answered, message.digest, message.platform_id, message.sender, tools, message.finish_reason),
    )


def history_of(rows: Iterable[Row]) -> History | None:
    """Returns a conversation and its messages in order, or None for no rows.

    Args:
        rows: In any order, each with the columns of MESSAGE, the number of the message, and the columns of
            CONVERSATION, which are null in all rows but one. Without messages, one row has only a conversation.
    """
    found = sorted(rows, key=_number)
    if not found:
        return None
    messages = tuple(map(message_of, found)) if found[0][0] is not None else ()
    first = len(MESSAGE) + 1
    conversation = next(row for row in found if row[first] is not None)
    return History(conversation=conversation_of(tuple(conversation)[first:]), messages=messages)


def current_of(rows: Iterable[Row]) -> CurrentConversation | None:
    """Returns a lane's current conversation, or None for no rows.

    Args:
        rows: In any order, each with the id, role, text, tokens and number of a message. The row with the number 0 has
            the columns of CONVERSATION as a JSON array in place of the text.
    """
    found = sorted(rows, key=_NUMBER_IN_CURRENT)
    if not found:
        return None
    messages = tuple([StoredText(key, _ROLES[role], text, tokens) for key, role, text, tokens, _ in found[1:]])
    return CurrentConversation(conversation=conversation_of(msgspec.json.decode(found[0][2])), messages=messages)


def lane_values(lane: Lane) -> tuple[object, ...]:
    """Returns the values of a lane in the order of LANE."""
    return lane.id, lane.kind.value, lane.instance, lane.channel, lane.account, lane.user


def lease_of(row: Row) -> Lease:
    """Returns the lease in the columns of LEASE."""
    lane = Lane(id=row[0], kind=LaneKind(row[1]), instance=row[2], channel=row[3], account=row[4], user=row[5])
    return Lease(lane=lane, owner=row[6], epoch=row[7], wake=row[8], conversation=row[9])


def lease_with_current(rows: Sequence[Row]) -> Lease | None:
    """Returns the lease and the current conversation of its lane, or None for no rows.

    Args:
        rows: Those of `current_of`, if the conversation was read, and one with the number -1, which has the columns of
            LEASE as a JSON array in place of the text, and the number of written messages in place of the tokens.
    """
    if not rows:
        return None
    lease = next(row for row in rows if row[4] == _LEASE_NUMBER)
    found = current_of(row for row in rows if row[4] != _LEASE_NUMBER)
    return msgspec.structs.replace(lease_of(msgspec.json.decode(lease[2])), found=found, stored=lease[3] > 0)


def event_of(row: Row) -> StoredEvent:
    """Returns the event in the columns of EVENT."""
    return StoredEvent(
        id=row[0],
        lane=row[1],
        instance=row[2],
        channel=row[3],
        account=row[4],
        event_id=row[5],
        position=row[6],
        user=row[7],
        state=EventState(row[8]),
        payload=row[9],
        attempts=row[10],
        error=row[11],
        received_at=moment_of(row[12]),
    )


def delivery_of(row: Row) -> Delivery:
    """Returns the delivery in the columns of DELIVERY."""
    return Delivery(
        id=row[0],
        lane=row[1],
        instance=row[2],
        channel=row[3],
        account=row[4],
        conversation=row[5],
        turn=row[6],
        chunk=row[7],
        text=row[8],
        state=DeliveryState(row[9]),
        attempts=row[10],
        ambiguous=row[11],
        platform_id=row[12],
        status=row[13],
        error=row[14],
        created_at=moment_of(row[15]),
        updated_at=moment_of(row[16]),
    )
