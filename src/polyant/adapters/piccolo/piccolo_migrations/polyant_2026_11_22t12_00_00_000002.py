"""What an instance has only once: a secret and a section of a name, a tool or server in a place."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-22T12:00:00:000002"
VERSION = "1.38.0"
DESCRIPTION = "unique names within an instance"

# Piccolo's own Unique constraint is added with ALTER TABLE, which SQLite doesn't know. Each index begins with the
# instance, so that it also serves to find what an instance has.
_INDEXES = (
    "CREATE UNIQUE INDEX instance_secrets_key ON instance_secrets (instance, name)",
    "CREATE UNIQUE INDEX instance_prompts_key ON instance_prompts (instance, section)",
    "CREATE UNIQUE INDEX instance_tools_key ON instance_tools (instance, position)",
    "CREATE UNIQUE INDEX instance_mcp_servers_key ON instance_mcp_servers (instance, position)",
)


async def forwards() -> MigrationManager:
    """Returns what makes the indexes."""

    class Carrier(Table):
        """Takes the statements to the database that is migrated now."""

    async def create() -> None:
        for index in _INDEXES:
            await Carrier.raw(index)

    manager = MigrationManager(migration_id=ID, app_name="polyant", description=DESCRIPTION)
    manager.add_raw(create)
    return manager
