"""Adds the history of instances."""

from collections.abc import Mapping
from typing import Any

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import BigSerial, ForeignKey, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

ID = "2026-11-26T21:10:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "history of instances"


class InstanceRow(Table, tablename="instances"):
    """The target of the foreign key, as it is at this migration."""

    id = Varchar(length=32, primary_key=True)


_COLUMNS: Mapping[str, tuple[type[Any], dict[str, Any]]] = {
    "id": (BigSerial, {"primary_key": True}),
    "instance": (ForeignKey, {"references": InstanceRow, "null": False}),
    "number": (Integer, {}),
    "replaced_at": (Timestamptz, {}),
    "replaced_by": (Text, {}),
    "changed": (Text, {}),
    "size": (Integer, {}),
    "content": (Text, {}),
}


async def forwards() -> MigrationManager:
    """Returns the migration that creates the table; servers of the previous version don't use it."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    manager.add_table("StateRow", "instance_states")
    for name, (kind, params) in _COLUMNS.items():
        manager.add_column("StateRow", "instance_states", name, column_class=kind, params=params)
    return manager
