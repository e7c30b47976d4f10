"""The tables, the same for SQLite and PostgreSQL."""

from piccolo.columns import (
    Array,
    BigInt,
    BigSerial,
    Boolean,
    DoublePrecision,
    ForeignKey,
    Integer,
    Serial,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.table import Table


class InstanceRow(Table, tablename="instances"):
    """An instance's own fields."""

    id = Varchar(length=32, primary_key=True)
    slug = Varchar(length=128, unique=True)
    name = Varchar(length=128)
    description = Text()
    status = Varchar(length=16)
    provider = Varchar(length=64)
    model = Varchar(length=256)
    base_url = Text(null=True, default=None)
    temperature = DoublePrecision(null=True, default=None)
    auth_enabled = Boolean()
    created_at = Timestamptz()
    updated_at = Timestamptz()
    version = Integer()
    max_steps = Integer(null=True, default=None)
    max_tool_calls = Integer(null=True, default=None)
    turn_seconds = DoublePrecision(null=True, default=None)
    tool_seconds = DoublePrecision(null=True, default=None)
    options = Text(null=True, default=None)
    """A JSON object that maps adapter names to objects; null if there are no options."""
    approved_addresses = Text(null=True, default=None)
    """A JSON array; null in rows that a version without approvals wrote, whose addresses are all approved."""
    conversations = Boolean(null=True, default=None)
    """Null, like the three following columns, in rows that a version without conversations wrote."""
    history_tokens = Integer(null=True, default=None)
    history_messages = Integer(null=True, default=None)
    transcripts = Varchar(length=16, null=True, default=None)
    image_input = Boolean(default=False)


class SecretRow(Table, tablename="instance_secrets"):
    """An encrypted secret of an instance; (instance, name) is unique."""

    id = Serial(primary_key=True)
    instance = ForeignKey(InstanceRow, null=False)
    name = Varchar(length=64)
    sealed = Text()
    fingerprint = Varchar(length=128, null=True, default=None, index=True)
    origin = Text(null=True, default=None)
    updated_at = Timestamptz()
    expires_at = Timestamptz(null=True, default=None)


class SectionRow(Table, tablename="instance_prompts"):
    """A section of an instance's system prompt; (instance, section) is unique."""

    id = Serial(primary_key=True)
    instance = ForeignKey(InstanceRow, null=False)
    section = Varchar(length=32)
    content = Text()


class ToolRow(Table, tablename="instance_tools"):
    """A tool of an instance, with its position; (instance, position) is unique."""

    id = Serial(primary_key=True)
    instance = ForeignKey(InstanceRow, null=False)
    tool = Varchar(length=256)
    position = Integer()


class McpServerRow(Table, tablename="instance_mcp_servers"):
    """An MCP server of an instance, with its position; (instance, position) is unique."""

    id = Serial(primary_key=True)
    instance = ForeignKey(InstanceRow, null=False)
    position = Integer()
    name = Varchar(length=32)
    url = Text()
    headers = Text()
    """A JSON object that maps header names to secret names."""
    tools = Text()
    """A JSON array of tool names."""


class SkillRow(Table, tablename="instance_skills"):
    """A skill of an instance; (instance, name) is unique."""

    id = Serial(primary_key=True)
    instance = ForeignKey(InstanceRow, null=False)
    name = Varchar(length=64)
    description = Text()
    digest = Varchar(length=64)
    size = Integer()


class SkillFileRow(Table, tablename="instance_skill_files"):
    """A file of a skill of an instance; (instance, digest, path) is unique."""

    id = BigSerial(primary_key=True)
    instance = ForeignKey(InstanceRow, null=False)
    digest = Varchar(length=64)
    path = Text()
    size = Integer()
    """The size in bytes of UTF-8."""
    is_script = Boolean()
    content = Text()


class StateRow(Table, tablename="instance_states"):
    """An earlier state of an instance; (instance, number) is unique."""

    id = BigSerial(primary_key=True)
    instance = ForeignKey(InstanceRow, null=False)
    number = Integer()
    replaced_at = Timestamptz()
    replaced_by = Text()
    changed = Text()
    """A JSON array of names."""
    size = Integer()
    """The number of bytes that count towards the maximum size of the history."""
    content = Text()
    """A JSON object."""
    skill_bytes = Integer(null=True, default=None)
    """The part of `size` that files of skills account for; null in rows that a version without skills wrote."""
    skill_digests = Text(null=True, default=None)
    """A JSON array of the digests of the skills; null in rows that a version without skills wrote."""


class ConnectionRow(Table, tablename="channel_connections"):
    """A channel connection; (channel, account) and (instance, channel) are unique."""

    id = Varchar(length=22, primary_key=True)
    channel = Varchar(length=16)
    account = Varchar(length=64)
    instance = ForeignKey(InstanceRow, null=False)
    state = Varchar(length=16)
    content = Text()
    """A JSON object with the other fields."""
    created_at = Timestamptz()
    updated_at = Timestamptz()
    version = Integer()
    problems = Text(default="[]")
    """A JSON array of the problems that last; writing it leaves the version."""


class RevisionRow(Table, tablename="revision"):
    """A single row that counts the writes; each write locks it first, which serializes writes."""

    id = Integer(primary_key=True)
    value = BigInt()


class ChangeRow(Table, tablename="instance_changes"):
    """The revision of the last write to a slug; kept when the instance is deleted."""

    slug = Varchar(length=128, primary_key=True)
    revision = BigInt(index=True)


class KeyCheckRow(Table, tablename="encryption_check"):
    """A single row with the encrypted value that verifies the master key."""

    id = Integer(primary_key=True)
    sealed = Text()


class RateLogRow(Table, tablename="rate_limits"):
    """The unexpired calls of one key; times are whole microseconds since 1970, on the database's clock.

    On PostgreSQL the table is unlogged: writes cost half as much, but the table is empty after a crash of the database
    server or a failover.
    """

    key = Text(primary_key=True)
    hits = Array(BigInt())
    asked_at = BigInt()
    passed = Boolean()
    expires_at = BigInt()
