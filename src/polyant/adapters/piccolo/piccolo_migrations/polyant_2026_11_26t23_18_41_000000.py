"""Adds the settings of conversations to instances."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Boolean, Integer, Varchar

ID = "2026-11-26T23:18:41:000000"
VERSION = "1.38.0"
DESCRIPTION = "conversations of instances"


async def forwards() -> MigrationManager:
    """Returns the migration that adds the columns; servers of the previous version leave them null."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    nullable = {"null": True, "default": None}
    for name, kind in (("conversations", Boolean), ("history_tokens", Integer), ("history_messages", Integer)):
        manager.add_column("InstanceRow", "instances", name, column_class=kind, params=nullable)
    transcripts = nullable | {"length": 16}
    manager.add_column("InstanceRow", "instances", "transcripts", column_class=Varchar, params=transcripts)
    return manager
