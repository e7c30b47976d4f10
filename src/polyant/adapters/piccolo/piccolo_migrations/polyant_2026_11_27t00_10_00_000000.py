"""Adds the provider to the turns."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Varchar

ID = "2026-11-27T00:10:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "provider of a turn"


async def forwards() -> MigrationManager:
    """Returns the migration that adds the column; null means that it is unknown."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    params = {"length": 64, "null": True, "default": None}
    manager.add_column("TurnRow", "turns", "provider", column_class=Varchar, params=params)
    return manager
