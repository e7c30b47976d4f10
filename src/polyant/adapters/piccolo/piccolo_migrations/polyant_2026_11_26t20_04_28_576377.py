"""Adds the history of logins."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Timestamptz, Varchar

ID = "2026-11-26T20:04:28:576377"
VERSION = "1.38.0"
DESCRIPTION = "history of logins"


async def forwards() -> MigrationManager:
    """Returns the migration that creates the table; servers of the previous version don't use it."""
    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    manager.add_table("LoginRow", "login_history")
    key, indexed = {"length": 128, "primary_key": True}, {"index": True}
    manager.add_column("LoginRow", "login_history", "fingerprint", column_class=Varchar, params=key)
    manager.add_column("LoginRow", "login_history", "expires_at", column_class=Timestamptz, params=indexed)
    return manager
