"""Adds the media of conversations."""

from collections.abc import Mapping
from typing import Any

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import BigInt, BigSerial, Bytea, Varchar

ID = "2026-11-26T23:50:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "media of conversations"

_COLUMNS: Mapping[str, tuple[type[Any], dict[str, Any]]] = {
    "number": (BigSerial, {"primary_key": True}),
    "conversation": (Varchar, {"length": 64}),
    "message": (Varchar, {"length": 64}),
    "address": (Varchar, {"length": 128}),
    "content": (Bytea, {}),
    "at": (BigInt, {}),
}


async def forwards() -> MigrationManager:
    """Returns the migration that creates the table; servers of the previous version don't use it."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    manager.add_table("MediaRow", "conversation_media")
    for name, (kind, params) in _COLUMNS.items():
        manager.add_column("MediaRow", "conversation_media", name, column_class=kind, params=params)
    return manager
