"""Adds conversations, their lanes, and the events and deliveries of channels."""

from collections.abc import Mapping
from typing import Any

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import BigInt, BigSerial, Boolean, Integer, Text, Varchar

ID = "2026-11-26T23:40:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "conversations and channels"

_TABLES: Mapping[tuple[str, str], Mapping[str, tuple[type[Any], dict[str, Any]]]] = {
    ("ConversationRow", "conversations"): {
        "id": (Varchar, {"length": 64, "primary_key": True}),
        "instance": (Varchar, {"length": 32}),
        "lane": (Varchar, {"length": 64}),
        "channel": (Varchar, {"length": 16}),
        "data_key": (Text, {}),
        "wrapped_by": (Varchar, {"length": 128}),
        "user_hash": (Varchar, {"length": 128, "null": True, "default": None}),
        "label": (Text, {"null": True, "default": None}),
        "client_managed": (Boolean, {}),
        "created_at": (BigInt, {}),
        "updated_at": (BigInt, {}),
        "messages": (Integer, {}),
        "unanswered": (Integer, {}),
    },
    ("MessageRow", "conversation_messages"): {
        "number": (BigSerial, {"primary_key": True}),
        "conversation": (Varchar, {"length": 64}),
        "id": (Varchar, {"length": 64}),
        "role": (Varchar, {"length": 16}),
        "content": (Text, {}),
        "at": (BigInt, {}),
        "turn": (Varchar, {"length": 64}),
        "tokens": (BigInt, {}),
        "answered": (Boolean, {}),
        "digest": (Varchar, {"length": 128, "null": True, "default": None}),
        "platform_id": (Text, {"null": True, "default": None}),
        "sender": (Varchar, {"length": 128, "null": True, "default": None}),
        "tools": (Text, {}),
        "finish_reason": (Text, {"null": True, "default": None}),
    },
    ("LaneRow", "lanes"): {
        "id": (Varchar, {"length": 64, "primary_key": True}),
        "kind": (Varchar, {"length": 8}),
        "instance": (Varchar, {"length": 32}),
        "channel": (Varchar, {"length": 16}),
        "account": (Varchar, {"length": 64}),
        "user_hash": (Varchar, {"length": 128, "null": True, "default": None}),
        "conversation": (Varchar, {"length": 64, "null": True, "default": None}),
        "due_at": (BigInt, {"null": True, "default": None}),
        "not_before": (BigInt, {}),
        "burst_since": (BigInt, {}),
        "wake": (BigInt, {}),
        "epoch": (BigInt, {}),
        "owner": (Text, {"null": True, "default": None}),
        "created_at": (BigInt, {}),
    },
    ("EventRow", "channel_events"): {
        "id": (BigSerial, {"primary_key": True}),
        "lane": (Varchar, {"length": 64}),
        "instance": (Varchar, {"length": 32}),
        "channel": (Varchar, {"length": 16}),
        "account": (Varchar, {"length": 64}),
        "event_id": (Text, {}),
        "position": (BigInt, {}),
        "user_hash": (Varchar, {"length": 128, "null": True, "default": None}),
        "state": (Varchar, {"length": 8}),
        "payload": (Text, {"null": True, "default": None}),
        "attempts": (Integer, {}),
        "error": (Text, {"null": True, "default": None}),
        "received_at": (BigInt, {}),
    },
    ("DeliveryRow", "channel_deliveries"): {
        "id": (BigSerial, {"primary_key": True}),
        "lane": (Varchar, {"length": 64}),
        "instance": (Varchar, {"length": 32}),
        "channel": (Varchar, {"length": 16}),
        "account": (Varchar, {"length": 64}),
        "conversation": (Varchar, {"length": 64, "null": True, "default": None}),
        "turn": (Varchar, {"length": 64}),
        "chunk": (Integer, {}),
        "content": (Text, {"null": True, "default": None}),
        "state": (Varchar, {"length": 8}),
        "attempts": (Integer, {}),
        "ambiguous": (Integer, {}),
        "platform_id": (Text, {"null": True, "default": None}),
        "status": (Text, {"null": True, "default": None}),
        "error": (Text, {"null": True, "default": None}),
        "created_at": (BigInt, {}),
        "updated_at": (BigInt, {}),
    },
    ("IngestKeyRow", "ingest_keys"): {
        "day": (Varchar, {"length": 10, "primary_key": True}),
        "data_key": (Text, {}),
        "wrapped_by": (Varchar, {"length": 128}),
    },
}


async def forwards() -> MigrationManager:
    """Returns the migration that creates the tables; servers of the previous version don't use them."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    for (table, name), columns in _TABLES.items():
        manager.add_table(table, name)
        for column, (kind, params) in columns.items():
            manager.add_column(table, name, column, column_class=kind, params=params)
    return manager
