"""Registers the tables and migrations for the `piccolo` command."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from polyant.adapters.piccolo import conversation_tables, management_tables, tables

APP_CONFIG = AppConfig(
    app_name="polyant",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=[
        tables.InstanceRow,
        tables.SecretRow,
        tables.SectionRow,
        tables.ToolRow,
        tables.McpServerRow,
        tables.StateRow,
        tables.ConnectionRow,
        tables.RevisionRow,
        tables.ChangeRow,
        tables.KeyCheckRow,
        tables.RateLogRow,
        management_tables.UserRow,
        management_tables.SessionRow,
        management_tables.LoginRow,
        management_tables.AuditRow,
        management_tables.TurnRow,
        conversation_tables.ConversationRow,
        conversation_tables.MessageRow,
        conversation_tables.LaneRow,
        conversation_tables.EventRow,
        conversation_tables.DeliveryRow,
        conversation_tables.IngestKeyRow,
        conversation_tables.MediaRow,
    ],
)
