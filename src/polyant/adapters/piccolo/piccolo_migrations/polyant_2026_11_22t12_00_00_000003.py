"""Changes the storage options of the rate limiter's table to make writes cheaper."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder
from piccolo.table import Table

ID = "2026-11-22T12:00:00:000003"
VERSION = "1.38.0"
DESCRIPTION = "a cheap log for the rate limiter"

# Every call rewrites its row: half-empty pages have room for the next row version beside the last, and compressing a
# long log each time would cost more than the space it saves.
_CHEAPER = (
    "ALTER TABLE rate_limits SET UNLOGGED",
    "ALTER TABLE rate_limits SET (fillfactor = 50)",
    "ALTER TABLE rate_limits ALTER COLUMN hits SET STORAGE EXTERNAL",
)


async def forwards() -> MigrationManager:
    """Returns the migration that changes the table on PostgreSQL; SQLite has no such options."""

    class Carrier(Table):
        """Runs raw SQL on the database that is being migrated."""

    async def alter() -> None:
        engine = engine_finder()
        if engine is not None and engine.engine_type == "postgres":
            for statement in _CHEAPER:
                await Carrier.raw(statement)

    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    manager.add_raw(alter)
    return manager
