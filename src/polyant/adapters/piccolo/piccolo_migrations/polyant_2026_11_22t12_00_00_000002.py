"""Adds unique constraints within an instance: names of secrets and sections, positions of tools and servers."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-22T12:00:00:000002"
VERSION = "1.38.0"
DESCRIPTION = "unique names within an instance"

# Piccolo adds its Unique constraint with ALTER TABLE, which SQLite doesn't support. Each index starts with the
# instance, so that it also speeds up reading an instance's rows.
_INDEXES = (
    "CREATE UNIQUE INDEX instance_secrets_key ON instance_secrets (instance, name)",
    "CREATE UNIQUE INDEX instance_prompts_key ON instance_prompts (instance, section)",
    "CREATE UNIQUE INDEX instance_tools_key ON instance_tools (instance, position)",
    "CREATE UNIQUE INDEX instance_mcp_servers_key ON instance_mcp_servers (instance, position)",
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
