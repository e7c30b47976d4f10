"""Adds the unique constraints of channel connections; raw SQL of a migration runs before its new tables exist."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-26T23:10:00:000001"
VERSION = "1.38.0"
DESCRIPTION = "unique channel connections"

# Piccolo adds its Unique constraint with ALTER TABLE, which SQLite doesn't support.
_INDEXES = (
    "CREATE UNIQUE INDEX channel_connections_account ON channel_connections (channel, account)",
    "CREATE UNIQUE INDEX channel_connections_instance ON channel_connections (instance, channel)",
)


async def forwards() -> MigrationManager:
    """Returns the migration that creates the indexes."""

    class Carrier(Table):
        """Runs raw SQL on the database that is being migrated."""

    async def create() -> None:
        for index in _INDEXES:
            await Carrier.raw(index)

    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    manager.add_raw(create)
    return manager
