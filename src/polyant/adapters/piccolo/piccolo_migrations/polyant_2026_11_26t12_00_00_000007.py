"""Adds the approvals of addresses outside the public internet."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Text

ID = "2026-11-26T12:00:00:000007"
VERSION = "1.38.0"
DESCRIPTION = "approved addresses, by instance"


async def forwards() -> MigrationManager:
    """Returns the migration that adds the column; null means that all addresses of the row are approved."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    nothing = {"null": True, "default": None}
    manager.add_column("InstanceRow", "instances", "approved_addresses", column_class=Text, params=nothing)
    return manager
