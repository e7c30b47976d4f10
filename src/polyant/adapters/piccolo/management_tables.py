"""The tables of the management API: users, sessions, audit log and turns."""

from piccolo.columns import BigInt, BigSerial, Boolean, DoublePrecision, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class UserRow(Table, tablename="users"):
    """A user."""

    id = Varchar(length=32, primary_key=True)
    email = Varchar(length=320, unique=True)
    role = Varchar(length=16)
    password_hash = Text()
    disabled = Boolean()
    created_at = Timestamptz()
    updated_at = Timestamptz()
    version = Integer()


class SessionRow(Table, tablename="sessions"):
    """A session that was issued and not ended.

    The user is not a foreign key: a login during the deletion of its user leaves a useless session instead of raising
    an error.
    """

    token_id = Varchar(length=64, primary_key=True)
    user_id = Varchar(length=32, index=True)
    expires_at = Timestamptz(index=True)


class LoginRow(Table, tablename="login_history"):
    """A successful login, known by a keyed hash of its account and its network."""

    fingerprint = Varchar(length=128, primary_key=True)
    expires_at = Timestamptz(index=True)


class AuditRow(Table, tablename="audit_log"):
    """A change; indexed by time, and by instance, actor and user, each with the time."""

    id = BigSerial(primary_key=True)
    at = Timestamptz()
    actor = Text()
    action = Text()
    instance = Varchar(length=128, null=True, default=None)
    user = Text(null=True, default=None)
    details = Text()
    """A JSON array of names."""


class TurnRow(Table, tablename="turns"):
    """The metrics of a turn; indexed by time, and by slug and time."""

    id = BigSerial(primary_key=True)
    slug = Varchar(length=128)
    request_id = Text()
    at = Timestamptz()
    outcome = Varchar(length=16)
    milliseconds = DoublePrecision()
    first_token_milliseconds = DoublePrecision(null=True, default=None)
    steps = Integer()
    tool_calls = Integer()
    failed_tool_calls = Integer()
    prompt_tokens = BigInt()
    completion_tokens = BigInt()
    streamed = Boolean()
    cached_tokens = BigInt()
    provider = Varchar(length=64, null=True, default=None)
    error = Text(null=True, default=None)
