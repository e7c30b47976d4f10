"""Adds the channel connections."""

from collections.abc import Mapping
from typing import Any

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import ForeignKey, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

ID = "2026-11-26T23:10:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "channel connections"


class InstanceRow(Table, tablename="instances"):
    """The target of the foreign key, as it is at this migration."""

    id = Varchar(length=32, primary_key=True)


_COLUMNS: Mapping[str, tuple[type[Any], dict[str, Any]]] = {
    "id": (Varchar, {"length": 22, "primary_key": True}),
    "channel": (Varchar, {"length": 16}),
    "account": (Varchar, {"length": 64}),
    "instance": (ForeignKey, {"references": InstanceRow, "null": False}),
    "state": (Varchar, {"length": 16}),
    "content": (Text, {}),
    "created_at": (Timestamptz, {}),
    "updated_at": (Timestamptz, {}),
    "version": (Integer, {}),
}


async def forwards() -> MigrationManager:
    """Returns the migration that creates the table; servers of the previous version don't use it."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    manager.add_table("ConnectionRow", "channel_connections")
    for name, (kind, params) in _COLUMNS.items():
        manager.add_column("ConnectionRow", "channel_connections", name, column_class=kind, params=params)
    return manager
