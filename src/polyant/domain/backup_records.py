"""The records of a backup, one for each item; an instance is in the form in which /api exports it, with its secrets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from polyant.domain.channels import (
    AmbiguousSends,
    BurstPolicy,
    ChannelAccess,
    ChannelName,
    ConnectionId,
    ConnectionState,
    Delivery,
)
from polyant.domain.conversations import ConversationId, LaneId, MessageId, MessageRole, TurnId
from polyant.domain.instance_content import InstanceContent, content_of
from polyant.domain.instances import (
    DEFAULT_HISTORY_MESSAGES,
    DEFAULT_HISTORY_TOKENS,
    HistoryMessages,
    HistoryTokens,
    Instance,
    InstanceId,
    InstanceStatus,
    JsonObject,
    Slug,
    TranscriptReaders,
)
from polyant.domain.limits import LimitSeconds, MaxSteps, MaxToolCalls, TurnLimits
from polyant.domain.mcp_servers import McpServer
from polyant.domain.media.stored import MediaAddress
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import SealedSecret, SecretName, SecretText
from polyant.domain.skills import Skill
from polyant.domain.users import Email, Role, UserId


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The base of records and their parts; unknown fields are refused, so that no data of a newer version is lost."""


class SectionPart(_Part, frozen=True, kw_only=True):
    """A section of the system prompt."""

    key: SectionKey
    content: str


class LimitsPart(_Part, frozen=True, kw_only=True):
    """The turn limits of an instance."""

    max_steps: MaxSteps | None = None
    max_tool_calls: MaxToolCalls | None = None
    turn_seconds: LimitSeconds | None = None
    tool_seconds: LimitSeconds | None = None


class McpServerPart(_Part, frozen=True, kw_only=True):
    """An MCP server of an instance."""

    name: str
    url: str
    headers: Mapping[str, SecretName] = {}
    tools: tuple[str, ...] = ()


class SkillPart(_Part, frozen=True, kw_only=True):
    """A skill of an instance; its files are records of their own."""

    name: str
    description: str
    digest: str
    size: int


class InstancePart(_Part, frozen=True, kw_only=True):
    """An instance as GET /api/instances/{slug}/export returns it, without its skills."""

    format: Literal["polyant.instance/1"] = "polyant.instance/1"
    slug: Slug
    name: str
    description: str = ""
    status: InstanceStatus = InstanceStatus.ACTIVE
    provider: str
    model: str
    base_url: str | None = None
    temperature: float | None = None
    auth_enabled: bool = False
    conversations: bool = False
    history_tokens: HistoryTokens = DEFAULT_HISTORY_TOKENS
    history_messages: HistoryMessages = DEFAULT_HISTORY_MESSAGES
    transcripts: TranscriptReaders = TranscriptReaders.SUPERADMINS
    image_input: bool = False
    limits: LimitsPart = LimitsPart()
    prompts: tuple[SectionPart, ...] = ()
    tools: tuple[str, ...] = ()
    mcp_servers: tuple[McpServerPart, ...] = ()
    options: Mapping[str, JsonObject] = {}
    secrets: tuple[str, ...] = ()


class SecretPart(_Part, frozen=True, kw_only=True):
    """A secret of an instance in plaintext, which repr hides."""

    name: SecretName
    value: bytes
    """The UTF-8 text; in JSON, Base64. Unlike JSON strings, it can hold any text."""
    updated_at: datetime
    origin: str | None = None
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        """Returns a representation with only the secret's name."""
        return f"SecretPart(name={self.name!r})"


class InstanceRecord(_Part, frozen=True, kw_only=True, tag_field="section", tag="instances/1"):
    """An instance with all its data."""

    id: InstanceId
    version: int
    created_at: datetime
    updated_at: datetime
    approved_addresses: tuple[str, ...] = ()
    document: InstancePart
    skills: tuple[SkillPart, ...] = ()
    secrets: tuple[SecretPart, ...] = ()


class SkillFileRecord(_Part, frozen=True, kw_only=True, tag_field="section", tag="skill_files/1"):
    """A file of a skill of an instance."""

    instance: InstanceId
    digest: str
    path: str
    content: str


class ChannelRecord(_Part, frozen=True, kw_only=True, tag_field="section", tag="channels/1"):
    """A channel connection; its credentials are secrets of the instance."""

    id: ConnectionId
    channel: ChannelName
    account: str
    account_name: str
    instance_id: InstanceId
    slug: Slug
    delivery: Delivery
    credentials: Mapping[str, SecretName]
    options: Mapping[str, str]
    access: ChannelAccess
    users: frozenset[str]
    burst: BurstPolicy
    ambiguous_sends: AmbiguousSends
    state: ConnectionState
    created_at: datetime
    updated_at: datetime
    version: int


class DataKeyRecord(_Part, frozen=True, kw_only=True, tag_field="section", tag="data_keys/1"):
    """The data key that hashes lanes and users, in plaintext, which repr hides."""

    id: str
    key: bytes

    def __repr__(self) -> str:
        """Returns a representation without the key."""
        return f"DataKeyRecord(id={self.id!r})"


class ConversationRecord(_Part, frozen=True, kw_only=True, tag_field="section", tag="conversations/1"):
    """A conversation with its data key in plaintext, which repr hides; its texts stay encrypted with that key."""

    id: ConversationId
    instance: InstanceId
    lane: LaneId
    channel: str
    key: bytes
    user: str | None = None
    label: str | None = None
    client_managed: bool
    created_at: datetime
    updated_at: datetime
    messages: int
    unanswered: int
    is_current: bool

    def __repr__(self) -> str:
        """Returns a representation without the key."""
        return f"ConversationRecord(id={self.id!r})"


class MessageRecord(_Part, frozen=True, kw_only=True, tag_field="section", tag="messages/1"):
    """A message, whose text is encrypted with the data key of its conversation."""

    conversation: ConversationId
    id: MessageId
    role: MessageRole
    text: str
    at: datetime
    turn: TurnId
    tokens: Annotated[int, msgspec.Meta(ge=0)] = 0
    answered: bool = True
    digest: str | None = None
    platform_id: str | None = None
    sender: str | None = None
    tools: tuple[str, ...] = ()
    finish_reason: str | None = None


class UserRecord(_Part, frozen=True, kw_only=True, tag_field="section", tag="users/1"):
    """A user with the hash of the password, which repr hides."""

    id: UserId
    email: Email
    role: Role
    password_hash: str
    disabled: bool
    created_at: datetime
    updated_at: datetime
    version: int

    def __repr__(self) -> str:
        """Returns a representation without the hash."""
        return f"UserRecord(id={self.id!r}, email={self.email!r})"


class AuditRecord(_Part, frozen=True, kw_only=True, tag_field="section", tag="audit/1"):
    """An entry of the audit trail."""

    at: datetime
    actor: str
    action: str
    instance: Slug | None = None
    user: str | None = None
    details: tuple[str, ...] = ()


class MediaRecord(_Part, frozen=True, kw_only=True, tag_field="section", tag="media/1"):
    """An image, a recording or a document, which is encrypted with the data key of its conversation."""

    conversation: ConversationId
    message: MessageId
    address: MediaAddress
    content: bytes
    at: datetime

    def __repr__(self) -> str:
        """Returns a representation without the content."""
        return f"MediaRecord(message={self.message!r})"


ArchivedRecord = (
    InstanceRecord
    | SkillFileRecord
    | ChannelRecord
    | DataKeyRecord
    | ConversationRecord
    | MessageRecord
    | UserRecord
    | AuditRecord
)
"""A record of an item of the Archive."""

BackupRecord = ArchivedRecord | MediaRecord

SECTIONS: Mapping[str, type[BackupRecord]] = {
    "instances/1": InstanceRecord,
    "skill_files/1": SkillFileRecord,
    "channels/1": ChannelRecord,
    "data_keys/1": DataKeyRecord,
    "conversations/1": ConversationRecord,
    "messages/1": MessageRecord,
    "users/1": UserRecord,
    "audit/1": AuditRecord,
    "media/1": MediaRecord,
}
"""The sections of a backup that this version reads and writes, each with its version, in their order."""

_DIRECT = frozenset(InstanceContent.__struct_fields__) - {"sections", "limits", "mcp_servers"}


def record_of(instance: Instance, secrets: Mapping[SecretName, SecretText]) -> InstanceRecord:
    """Returns the record of an instance with its decrypted secrets."""
    content = content_of(instance)
    document = InstancePart(
        slug=instance.slug,
        prompts=tuple(SectionPart(key=key, content=content.sections[key]) for key in sorted(content.sections)),
        limits=LimitsPart(**msgspec.structs.asdict(content.limits)),
        mcp_servers=tuple(McpServerPart(**msgspec.structs.asdict(server)) for server in content.mcp_servers),
        secrets=tuple(sorted(instance.secrets)),
        **{name: getattr(content, name) for name in _DIRECT},
    )
    return InstanceRecord(
        id=instance.id,
        version=instance.version,
        created_at=instance.created_at,
        updated_at=instance.updated_at,
        approved_addresses=tuple(sorted(instance.approved_addresses)),
        document=document,
        skills=tuple(SkillPart(**msgspec.structs.asdict(skill)) for skill in instance.skills),
        secrets=tuple(_secret_part_of(instance.secrets[name], secrets[name]) for name in sorted(instance.secrets)),
    )


def instance_of(record: InstanceRecord) -> Instance:
    """Returns the instance of a record, without its secrets."""
    document = record.document
    return Instance(
        id=record.id,
        slug=document.slug,
        version=record.version,
        created_at=record.created_at,
        updated_at=record.updated_at,
        approved_addresses=frozenset(record.approved_addresses),
        sections={section.key: section.content for section in document.prompts},
        limits=TurnLimits(**msgspec.structs.asdict(document.limits)),
        mcp_servers=tuple(McpServer(**msgspec.structs.asdict(server)) for server in document.mcp_servers),
        skills=tuple(Skill(**msgspec.structs.asdict(skill)) for skill in record.skills),
        **{name: getattr(document, name) for name in _DIRECT},
    )


def value_of(secret: SecretPart) -> SecretText:
    """Returns the plaintext of a secret."""
    return SecretText(secret.value.decode("utf-8", "surrogatepass"))


def _secret_part_of(stored: SealedSecret, secret: SecretText) -> SecretPart:
    return SecretPart(
        name=stored.name,
        value=secret.reveal().encode("utf-8", "surrogatepass"),
        updated_at=stored.updated_at,
        origin=stored.origin,
        expires_at=stored.expires_at,
    )
