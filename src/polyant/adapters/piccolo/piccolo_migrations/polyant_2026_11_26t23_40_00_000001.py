"""Adds the indexes of conversations and channels; raw SQL of a migration runs before its new tables exist."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-26T23:40:00:000001"
VERSION = "1.38.0"
DESCRIPTION = "indexes of conversations and channels"

_INDEXES = (
    "CREATE INDEX conversations_instance ON conversations (instance, updated_at)",
    "CREATE INDEX conversations_user ON conversations (instance, user_hash) WHERE user_hash IS NOT NULL",
    "CREATE INDEX conversations_lane ON conversations (lane)",
    "CREATE INDEX conversations_wrapped_by ON conversations (wrapped_by)",
    "CREATE INDEX conversations_empty ON conversations (updated_at) WHERE messages = 0",
    "CREATE UNIQUE INDEX conversation_messages_id ON conversation_messages (id)",
    "CREATE INDEX conversation_messages_order ON conversation_messages (conversation, number)",
    "CREATE UNIQUE INDEX conversation_messages_answer ON conversation_messages (turn) WHERE role = 'assistant'",
    "CREATE INDEX conversation_messages_at ON conversation_messages (at)",
    "CREATE INDEX conversation_messages_sender ON conversation_messages (sender) WHERE sender IS NOT NULL",
    "CREATE INDEX lanes_due ON lanes (due_at) WHERE due_at IS NOT NULL AND kind = 'channel'",
    "CREATE INDEX lanes_instance ON lanes (instance)",
    "CREATE INDEX lanes_idle ON lanes (created_at) WHERE owner IS NULL AND conversation IS NULL",
    "CREATE UNIQUE INDEX channel_events_key ON channel_events (channel, account, event_id)",
    "CREATE INDEX channel_events_open ON channel_events (lane, position, id) WHERE state = 'open'",
    "CREATE INDEX channel_events_lane ON channel_events (lane)",
    "CREATE INDEX channel_events_received ON channel_events (received_at)",
    "CREATE INDEX channel_events_instance ON channel_events (instance, id)",
    "CREATE UNIQUE INDEX channel_deliveries_key ON channel_deliveries (turn, chunk)",
    "CREATE INDEX channel_deliveries_open ON channel_deliveries (lane, id) WHERE state IN ('queued', 'sending')",
    "CREATE INDEX channel_deliveries_lane ON channel_deliveries (lane)",
    "CREATE INDEX channel_deliveries_created ON channel_deliveries (created_at)",
    "CREATE INDEX channel_deliveries_instance ON channel_deliveries (instance, id)",
    "CREATE INDEX channel_deliveries_platform ON channel_deliveries (channel, account, platform_id)",
    "CREATE INDEX channel_deliveries_conversation ON channel_deliveries (conversation) WHERE conversation IS NOT NULL",
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
