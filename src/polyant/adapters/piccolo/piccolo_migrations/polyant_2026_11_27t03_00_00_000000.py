"""Adds the problems of channel connections."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Text

ID = "2026-11-27T03:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "problems of channel connections"


async def forwards() -> MigrationManager:
    """Returns the migration that adds the column; connections have no problems at first."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    nothing = {"null": False, "default": "[]"}
    manager.add_column("ConnectionRow", "channel_connections", "problems", column_class=Text, params=nothing)
    return manager
