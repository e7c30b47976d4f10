"""Adds whether an instance accepts images."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Boolean

ID = "2026-11-26T23:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "image input of instances"


async def forwards() -> MigrationManager:
    """Returns the migration that adds the column; rows that the previous version writes get the default."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    params = {"default": False, "null": False}
    manager.add_column("InstanceRow", "instances", "image_input", column_class=Boolean, params=params)
    return manager
