"""Creates the first tables."""

from collections.abc import Mapping
from typing import Any

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import (
    Array,
    BigInt,
    Boolean,
    DoublePrecision,
    ForeignKey,
    Integer,
    Serial,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.table import Table

ID = "2026-11-22T12:00:00:000001"
VERSION = "1.38.0"
DESCRIPTION = "the first tables"


class InstanceRow(Table, tablename="instances"):
    """The target of foreign keys, as it is at this migration."""

    id = Varchar(length=32, primary_key=True)


_Columns = Mapping[str, tuple[type[Any], dict[str, Any]]]

_TABLES: Mapping[tuple[str, str], _Columns] = {
    ("InstanceRow", "instances"): {
        "id": (Varchar, {"length": 32, "primary_key": True}),
        "slug": (Varchar, {"length": 128, "unique": True}),
        "name": (Varchar, {"length": 128}),
        "description": (Text, {}),
        "status": (Varchar, {"length": 16}),
        "provider": (Varchar, {"length": 64}),
        "model": (Varchar, {"length": 256}),
        "base_url": (Text, {"null": True, "default": None}),
        "temperature": (DoublePrecision, {"null": True, "default": None}),
        "auth_enabled": (Boolean, {}),
        "created_at": (Timestamptz, {}),
        "updated_at": (Timestamptz, {}),
        "version": (Integer, {}),
        "max_steps": (Integer, {"null": True, "default": None}),
        "max_tool_calls": (Integer, {"null": True, "default": None}),
        "turn_seconds": (DoublePrecision, {"null": True, "default": None}),
        "tool_seconds": (DoublePrecision, {"null": True, "default": None}),
    },
    ("SecretRow", "instance_secrets"): {
        "id": (Serial, {"primary_key": True}),
        "instance": (ForeignKey, {"references": InstanceRow, "null": False}),
        "name": (Varchar, {"length": 64}),
        "sealed": (Text, {}),
        "fingerprint": (Varchar, {"length": 128, "null": True, "default": None, "index": True}),
        "origin": (Text, {"null": True, "default": None}),
        "updated_at": (Timestamptz, {}),
    },
    ("SectionRow", "instance_prompts"): {
        "id": (Serial, {"primary_key": True}),
        "instance": (ForeignKey, {"references": InstanceRow, "null": False}),
        "section": (Varchar, {"length": 32}),
        "content": (Text, {}),
    },
    ("ToolRow", "instance_tools"): {
        "id": (Serial, {"primary_key": True}),
        "instance": (ForeignKey, {"references": InstanceRow, "null": False}),
        "tool": (Varchar, {"length": 256}),
        "position": (Integer, {}),
    },
    ("McpServerRow", "instance_mcp_servers"): {
        "id": (Serial, {"primary_key": True}),
        "instance": (ForeignKey, {"references": InstanceRow, "null": False}),
        "position": (Integer, {}),
        "name": (Varchar, {"length": 32}),
        "url": (Text, {}),
        "headers": (Text, {}),
        "tools": (Text, {}),
    },
    ("RevisionRow", "revision"): {
        "id": (Integer, {"primary_key": True}),
        "value": (BigInt, {}),
    },
    ("ChangeRow", "instance_changes"): {
        "slug": (Varchar, {"length": 128, "primary_key": True}),
        "revision": (BigInt, {"index": True}),
    },
    ("KeyCheckRow", "encryption_check"): {
        "id": (Integer, {"primary_key": True}),
        "sealed": (Text, {}),
    },
    ("RateLogRow", "rate_limits"): {
        "key": (Text, {"primary_key": True}),
        "hits": (Array, {"base_column": BigInt()}),
        "asked_at": (BigInt, {}),
        "passed": (Boolean, {}),
        "expires_at": (BigInt, {}),
    },
}


async def forwards() -> MigrationManager:
    """Returns the migration that creates the tables."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    for (class_name, tablename), columns in _TABLES.items():
        manager.add_table(class_name, tablename)
        for name, (kind, params) in columns.items():
            manager.add_column(class_name, tablename, name, column_class=kind, params=params)
    return manager
