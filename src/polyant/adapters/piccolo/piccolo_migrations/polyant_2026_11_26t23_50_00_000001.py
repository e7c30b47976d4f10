"""Adds the indexes of media; raw SQL of a migration runs before its new tables exist."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-26T23:50:00:000001"
VERSION = "1.38.0"
DESCRIPTION = "indexes of media"

_INDEXES = (
    "CREATE UNIQUE INDEX conversation_media_key ON conversation_media (conversation, address, message)",
    "CREATE INDEX conversation_media_message ON conversation_media (message)",
    "CREATE INDEX conversation_media_at ON conversation_media (at)",
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
