"""Adds the tables of the management API, and the expiry of secrets."""

from collections.abc import Mapping
from typing import Any

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import (
    BigInt,
    BigSerial,
    Boolean,
    DoublePrecision,
    Integer,
    Text,
    Timestamptz,
    Varchar,
)

ID = "2026-11-22T12:00:00:000004"
VERSION = "1.38.0"
DESCRIPTION = "users, sessions, audit trail and turns; secrets that expire"

_Columns = Mapping[str, tuple[type[Any], dict[str, Any]]]

_TABLES: Mapping[tuple[str, str], _Columns] = {
    ("UserRow", "users"): {
        "id": (Varchar, {"length": 32, "primary_key": True}),
        "email": (Varchar, {"length": 320, "unique": True}),
        "role": (Varchar, {"length": 16}),
        "password_hash": (Text, {}),
        "disabled": (Boolean, {}),
        "created_at": (Timestamptz, {}),
        "updated_at": (Timestamptz, {}),
        "version": (Integer, {}),
    },
    ("SessionRow", "sessions"): {
        "token_id": (Varchar, {"length": 64, "primary_key": True}),
        "user_id": (Varchar, {"length": 32, "index": True}),
        "expires_at": (Timestamptz, {"index": True}),
    },
    ("AuditRow", "audit_log"): {
        "id": (BigSerial, {"primary_key": True}),
        "at": (Timestamptz, {}),
        "actor": (Text, {}),
        "action": (Text, {}),
        "instance": (Varchar, {"length": 128, "null": True, "default": None}),
        "user": (Text, {"null": True, "default": None}),
        "details": (Text, {}),
    },
    ("TurnRow", "turns"): {
        "id": (BigSerial, {"primary_key": True}),
        "slug": (Varchar, {"length": 128}),
        "request_id": (Text, {}),
        "at": (Timestamptz, {}),
        "outcome": (Varchar, {"length": 16}),
        "milliseconds": (DoublePrecision, {}),
        "first_token_milliseconds": (DoublePrecision, {"null": True, "default": None}),
        "steps": (Integer, {}),
        "tool_calls": (Integer, {}),
        "failed_tool_calls": (Integer, {}),
        "prompt_tokens": (BigInt, {}),
        "completion_tokens": (BigInt, {}),
        "streamed": (Boolean, {}),
    },
}


async def forwards() -> MigrationManager:
    """Returns the migration that creates the tables and the column."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    for (class_name, tablename), columns in _TABLES.items():
        manager.add_table(class_name, tablename)
        for name, (kind, params) in columns.items():
            manager.add_column(class_name, tablename, name, column_class=kind, params=params)
    expiry = {"null": True, "default": None}
    manager.add_column("SecretRow", "instance_secrets", "expires_at", column_class=Timestamptz, params=expiry)
    return manager
