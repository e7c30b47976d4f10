"""Adds the indexes of the audit trail and the turns."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-22T12:00:00:000005"
VERSION = "1.38.0"
DESCRIPTION = "indexes of the audit trail and the turns"

# turns_at serves the deletion of old turns; the others end with the columns that listings are ordered by.
_INDEXES = (
    "CREATE INDEX audit_log_at ON audit_log (at, id)",
    "CREATE INDEX audit_log_instance ON audit_log (instance, at, id)",
    "CREATE INDEX audit_log_actor ON audit_log (actor, at, id)",
    'CREATE INDEX audit_log_user ON audit_log ("user", at, id)',
    "CREATE INDEX turns_at ON turns (at)",
    "CREATE INDEX turns_slug ON turns (slug, at, id)",
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
