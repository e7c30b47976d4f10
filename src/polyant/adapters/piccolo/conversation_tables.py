"""The tables of conversations, lanes, events and deliveries.

Times are microseconds since 1970 by the database's clock, so that hosts agree, except those of conversations and
messages. Texts, labels, payloads and keys are ciphertext. There are no foreign keys: batches delete rows in any order.
"""

from piccolo.columns import BigInt, BigSerial, Boolean, Bytea, Integer, Text, Varchar
from piccolo.table import Table


class ConversationRow(Table, tablename="conversations"):
    """A conversation, with the wrapped key of its texts."""

    id = Varchar(length=64, primary_key=True)
    instance = Varchar(length=32)
    lane = Varchar(length=64)
    channel = Varchar(length=16)
    data_key = Text()
    wrapped_by = Varchar(length=128)
    user_hash = Varchar(length=128, null=True, default=None)
    label = Text(null=True, default=None)
    client_managed = Boolean()
    created_at = BigInt()
    updated_at = BigInt()
    messages = Integer()
    unanswered = Integer()


class MessageRow(Table, tablename="conversation_messages"):
    """A message; a turn has at most one of the role `assistant`."""

    number = BigSerial(primary_key=True)
    conversation = Varchar(length=64)
    id = Varchar(length=64)
    role = Varchar(length=16)
    content = Text()
    at = BigInt()
    turn = Varchar(length=64)
    tokens = BigInt()
    answered = Boolean()
    digest = Varchar(length=128, null=True, default=None)
    platform_id = Text(null=True, default=None)
    sender = Varchar(length=128, null=True, default=None)
    tools = Text()
    """A JSON array of names."""
    finish_reason = Text(null=True, default=None)


class LaneRow(Table, tablename="lanes"):
    """A lane; while it is leased, `due_at` is the end of the lease."""

    id = Varchar(length=64, primary_key=True)
    kind = Varchar(length=8)
    instance = Varchar(length=32)
    channel = Varchar(length=16)
    account = Varchar(length=64)
    user_hash = Varchar(length=128, null=True, default=None)
    conversation = Varchar(length=64, null=True, default=None)
    due_at = BigInt(null=True, default=None)
    not_before = BigInt()
    burst_since = BigInt()
    wake = BigInt()
    epoch = BigInt()
    owner = Text(null=True, default=None)
    created_at = BigInt()


class EventRow(Table, tablename="channel_events"):
    """A received event; (channel, account, event_id) is unique."""

    id = BigSerial(primary_key=True)
    lane = Varchar(length=64)
    instance = Varchar(length=32)
    channel = Varchar(length=16)
    account = Varchar(length=64)
    event_id = Text()
    position = BigInt()
    user_hash = Varchar(length=128, null=True, default=None)
    state = Varchar(length=8)
    payload = Text(null=True, default=None)
    attempts = Integer()
    error = Text(null=True, default=None)
    received_at = BigInt()


class DeliveryRow(Table, tablename="channel_deliveries"):
    """A chunk to send; (turn, chunk) is unique."""

    id = BigSerial(primary_key=True)
    lane = Varchar(length=64)
    instance = Varchar(length=32)
    channel = Varchar(length=16)
    account = Varchar(length=64)
    conversation = Varchar(length=64, null=True, default=None)
    turn = Varchar(length=64)
    chunk = Integer()
    content = Text(null=True, default=None)
    state = Varchar(length=8)
    attempts = Integer()
    ambiguous = Integer()
    platform_id = Text(null=True, default=None)
    status = Text(null=True, default=None)
    error = Text(null=True, default=None)
    created_at = BigInt()
    updated_at = BigInt()


class IngestKeyRow(Table, tablename="ingest_keys"):
    """The wrapped key of the payloads of one day."""

    day = Varchar(length=10, primary_key=True)
    data_key = Text()
    wrapped_by = Varchar(length=128)


class MediaRow(Table, tablename="conversation_media"):
    """An item of a message; (conversation, address, message) is unique."""

    number = BigSerial(primary_key=True)
    conversation = Varchar(length=64)
    message = Varchar(length=64)
    address = Varchar(length=128)
    content = Bytea()
    at = BigInt()
