"""Adds the unique constraints of the skills of instances; raw SQL of a migration runs before its new tables exist."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-26T23:46:00:000001"
VERSION = "1.38.0"
DESCRIPTION = "unique skills of an instance"

# Piccolo adds its Unique constraint with ALTER TABLE, which SQLite doesn't support.
_INDEXES = (
    "CREATE UNIQUE INDEX instance_skills_key ON instance_skills (instance, name)",
    "CREATE UNIQUE INDEX instance_skill_files_key ON instance_skill_files (instance, digest, path)",
)


async def forwards() -> MigrationManager:
    """Returns the migration that creates the indexes, which also speed up reading an instance's skills."""

    class Carrier(Table):
        """Runs raw SQL on the database that is being migrated."""

    async def create() -> None:
        for index in _INDEXES:
            await Carrier.raw(index)

    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    manager.add_raw(create)
    return manager
