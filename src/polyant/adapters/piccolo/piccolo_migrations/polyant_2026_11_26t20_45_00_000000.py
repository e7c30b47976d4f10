"""Adds the cached tokens of turns, and replaces the default section that changed every minute."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import BigInt
from piccolo.table import Table

ID = "2026-11-26T20:45:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "cached tokens of turns, and the date without the time in the default prompt"

_SECTION = "08-datetime"
_OLD_DEFAULT = "# Date and time\n\nIt is {{datetime}} ({{timezone}})."
_NEW_DEFAULT = "# Date\n\nToday is {{date}} ({{timezone}})."


async def forwards() -> MigrationManager:
    """Returns the migration; servers of the previous version ignore the column."""

    class Carrier(Table):
        """Runs raw SQL on the database that is being migrated."""

    async def replace_default() -> None:
        update = "UPDATE instance_prompts SET content = {} WHERE section = {} AND content = {}"
        await Carrier.raw(update, _NEW_DEFAULT, _SECTION, _OLD_DEFAULT)

    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    zero = {"null": False, "default": 0}
    manager.add_column("TurnRow", "turns", "cached_tokens", column_class=BigInt, params=zero)
    manager.add_raw(replace_default)
    return manager
