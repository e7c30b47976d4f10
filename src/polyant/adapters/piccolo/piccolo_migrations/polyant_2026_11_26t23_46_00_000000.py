"""Adds the skills of instances."""

from collections.abc import Mapping
from typing import Any

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import BigSerial, Boolean, ForeignKey, Integer, Serial, Text, Varchar
from piccolo.table import Table

ID = "2026-11-26T23:46:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "skills of instances"


class InstanceRow(Table, tablename="instances"):
    """The target of the foreign key, as it is at this migration."""

    id = Varchar(length=32, primary_key=True)


_SKILL: Mapping[str, tuple[type[Any], dict[str, Any]]] = {
    "id": (Serial, {"primary_key": True}),
    "instance": (ForeignKey, {"references": InstanceRow, "null": False}),
    "name": (Varchar, {"length": 64}),
    "description": (Text, {}),
    "digest": (Varchar, {"length": 64}),
    "size": (Integer, {}),
}
_FILE: Mapping[str, tuple[type[Any], dict[str, Any]]] = {
    "id": (BigSerial, {"primary_key": True}),
    "instance": (ForeignKey, {"references": InstanceRow, "null": False}),
    "digest": (Varchar, {"length": 64}),
    "path": (Text, {}),
    "size": (Integer, {}),
    "is_script": (Boolean, {}),
    "content": (Text, {}),
}
_STATE: Mapping[str, tuple[type[Any], dict[str, Any]]] = {
    "skill_bytes": (Integer, {"null": True, "default": None}),
    "skill_digests": (Text, {"null": True, "default": None}),
}
_TABLES = (("SkillRow", "instance_skills", _SKILL), ("SkillFileRow", "instance_skill_files", _FILE))


async def forwards() -> MigrationManager:
    """Returns the migration that creates the tables and the columns; servers of the previous version don't use them."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    for row, table, _ in _TABLES:
        manager.add_table(row, table)
    for row, table, columns in (*_TABLES, ("StateRow", "instance_states", _STATE)):
        for name, (kind, params) in columns.items():
            manager.add_column(row, table, name, column_class=kind, params=params)
    return manager
