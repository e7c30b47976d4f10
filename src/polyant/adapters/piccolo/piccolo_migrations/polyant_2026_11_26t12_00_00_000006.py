"""Adds the options of adapters."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Text

ID = "2026-11-26T12:00:00:000006"
VERSION = "1.38.0"
DESCRIPTION = "options of adapters, by instance"


async def forwards() -> MigrationManager:
    """Returns the migration that adds the column; servers of the previous version ignore it."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    nothing = {"null": True, "default": None}
    manager.add_column("InstanceRow", "instances", "options", column_class=Text, params=nothing)
    return manager
