"""Adds an index of unanswered messages, so that the cost of a turn doesn't grow with its conversation."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-27T00:45:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "index of unanswered messages"

_INDEX = "CREATE INDEX conversation_messages_unanswered ON conversation_messages (conversation) WHERE NOT answered"


async def forwards() -> MigrationManager:
    """Returns the migration that creates the index."""

    class Carrier(Table):
        """Runs raw SQL on the database that is being migrated."""

    async def create() -> None:
        await Carrier.raw(_INDEX)

    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    manager.add_raw(create)
    return manager
