"""Adds the unique constraint of the history of instances; raw SQL of a migration runs before its new tables exist."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-26T21:10:00:000001"
VERSION = "1.38.0"
DESCRIPTION = "unique states of an instance"

# Piccolo adds its Unique constraint with ALTER TABLE, which SQLite doesn't support.
_INDEX = "CREATE UNIQUE INDEX instance_states_key ON instance_states (instance, number)"


async def forwards() -> MigrationManager:
    """Returns the migration that creates the index, which also speeds up reading an instance's states."""

    class Carrier(Table):
        """Runs raw SQL on the database that is being migrated."""

    async def create() -> None:
        await Carrier.raw(_INDEX)

    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    manager.add_raw(create)
    return manager
