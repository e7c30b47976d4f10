"""Makes the rate limiter's log cheap to write where that is up to the table."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder
from piccolo.table import Table

ID = "2026-11-22T12:00:00:000003"
VERSION = "1.38.0"
DESCRIPTION = "a cheap log for the rate limiter"

# Every call writes its row anew: half-empty pages have room for the next version of it beside the last, and to compress
# a long log each time would cost more than the room it takes.
_CHEAPER = (
    "ALTER TABLE rate_limits SET UNLOGGED",
    "ALTER TABLE rate_limits SET (fillfactor = 50)",
    "ALTER TABLE rate_limits ALTER COLUMN hits SET STORAGE EXTERNAL",
)


async def forwards() -> MigrationManager:
    """Returns what changes the table on PostgreSQL; SQLite has nothing like it."""

    class Carrier(Table):
        """Takes the statements to the database that is migrated now."""

    async def alter() -> None:
        engine = engine_finder()
        if engine is not None and engine.engine_type == "postgres":
            for statement in _CHEAPER:
                await Carrier.raw(statement)

    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    manager.add_raw(alter)
    return manager
