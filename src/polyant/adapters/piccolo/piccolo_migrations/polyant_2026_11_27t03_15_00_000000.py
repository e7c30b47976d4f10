"""Adds the error of a failed turn to the turns."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Text

ID = "2026-11-27T03:15:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "error of a turn"


async def forwards() -> MigrationManager:
    """Returns the migration that adds the column; null means none, or that it is unknown."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    params = {"null": True, "default": None}
    manager.add_column("TurnRow", "turns", "error", column_class=Text, params=params)
    return manager
