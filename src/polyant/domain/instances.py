"""Instances: the configured assistants that callers address as models."""

import enum
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, NewType

import msgspec

from polyant.domain.base_urls import parse_base_url
from polyant.domain.errors import InvalidInputError
from polyant.domain.limits import TurnLimits, check_turn_limits
from polyant.domain.mcp_servers import McpServer, check_mcp_servers
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import AUTH_API_KEY, SealedSecret, SecretAddress, SecretName
from polyant.domain.skills import Skill, check_skills

Slug = NewType("Slug", str)
"""An instance's public name; create it with `parse_slug`."""

InstanceId = NewType("InstanceId", str)
"""An instance's permanent id: 32 lowercase hex digits."""

MAX_OPTIONS_BYTES = 16 * 1024
"""The maximum size of all options of an instance together, as JSON."""

JsonObject = Mapping[str, Any]
"""A decoded JSON object."""

SLUG_PATTERN = re.compile(r"\A[a-z0-9]([a-z0-9_.-]*[a-z0-9])?\Z")
MAX_SLUG_CHARACTERS = 128
SLUG_RULE = f"1 to {MAX_SLUG_CHARACTERS} characters: a-z, 0-9, _, . and -, starting and ending with a letter or digit"
MAX_NAME_CHARACTERS = 128
MAX_DESCRIPTION_CHARACTERS = 2_000
MAX_MODEL_CHARACTERS = 256
MAX_TEMPERATURE = 2.0

CONTROL_CHARACTERS = r"\x00-\x08\x0b-\x1f\x7f"
"""The characters that no text of an instance may contain, as a regex character class; tab and newline are allowed."""

_PROVIDER = re.compile(r"\A[a-z][a-z0-9_-]{0,63}\Z")
_INVALID = re.compile(rf"[{CONTROL_CHARACTERS}\ud800-\udfff]")


class InstanceStatus(enum.StrEnum):
    """Whether callers can use an instance."""

    ACTIVE = "active"
    DISABLED = "disabled"


class TranscriptReaders(enum.StrEnum):
    """The users of the management API who may read the texts of an instance's conversations."""

    SUPERADMINS = "superadmins"
    USERS = "users"


MIN_HISTORY_TOKENS, MAX_HISTORY_TOKENS = 100, 1_000_000
MIN_HISTORY_MESSAGES, MAX_HISTORY_MESSAGES = 2, 1_000
HistoryTokens = Annotated[int, msgspec.Meta(ge=MIN_HISTORY_TOKENS, le=MAX_HISTORY_TOKENS)]
HistoryMessages = Annotated[int, msgspec.Meta(ge=MIN_HISTORY_MESSAGES, le=MAX_HISTORY_MESSAGES)]
DEFAULT_HISTORY_TOKENS = 8_000
DEFAULT_HISTORY_MESSAGES = 100


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One configured assistant, with everything that a turn needs; its secrets are encrypted."""

    id: InstanceId
    slug: Slug
    name: str
    description: str = ""
    status: InstanceStatus = InstanceStatus.ACTIVE
    provider: str
    model: str
    base_url: str | None = None
    """The provider's base URL; None means the provider's own default."""
    temperature: float | None = None
    auth_enabled: bool = False
    conversations: bool = False
    """Whether /v1 keeps conversations: requests with a `chat_id` are continued from the stored messages."""
    history_tokens: HistoryTokens = DEFAULT_HISTORY_TOKENS
    """The estimated tokens of stored messages that a model call may contain."""
    history_messages: HistoryMessages = DEFAULT_HISTORY_MESSAGES
    """The number of stored messages that a model call may contain."""
    transcripts: TranscriptReaders = TranscriptReaders.SUPERADMINS
    image_input: bool = False
    """Whether messages from /v1 and the playground may contain images."""
    created_at: datetime
    updated_at: datetime
    version: int = 0
    """Incremented on each write; 0 means that the instance was never stored."""
    sections: Mapping[SectionKey, str] = {}
    secrets: Mapping[SecretName, SealedSecret] = {}
    tools: tuple[str, ...] = ()
    """The names of the enabled tools; a tool may no longer be installed."""
    limits: TurnLimits = TurnLimits()
    mcp_servers: tuple[McpServer, ...] = ()
    """The MCP servers that provide additional tools; their names are unique."""
    skills: tuple[Skill, ...] = ()
    """The skills in the order of their names; their files are stored apart."""
    options: Mapping[str, JsonObject] = {}
    """The options of adapters, by adapter name. They are shown and exported, so they must not contain secrets."""
    approved_addresses: frozenset[str] = frozenset()
    """The `addresses` that may be outside the public internet, because a superadmin or the command line set them."""

    @property
    def addresses(self) -> frozenset[str]:
        """The configured addresses: the base URL without a trailing slash, and the URLs of the MCP servers."""
        servers = {server.url for server in self.mcp_servers}
        return frozenset(servers if self.base_url is None else {self.base_url.rstrip("/"), *servers})

    @property
    def is_active(self) -> bool:
        """Whether callers can use the instance."""
        return self.status is InstanceStatus.ACTIVE

    @property
    def has_auth_key(self) -> bool:
        """Whether an API key for callers is stored."""
        return AUTH_API_KEY in self.secrets

    def address_of(self, secret: SealedSecret) -> SecretAddress:
        """Returns the address that the encrypted value is bound to."""
        return SecretAddress(instance_id=self.id, name=secret.name, origin=secret.origin)


class InstanceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an instance in a listing."""

    id: InstanceId
    slug: Slug
    name: str
    description: str
    status: InstanceStatus
    provider: str
    model: str
    base_url: str | None
    temperature: float | None
    auth_enabled: bool
    image_input: bool = False
    has_auth_key: bool
    conversations: bool = False
    history_tokens: int = DEFAULT_HISTORY_TOKENS
    history_messages: int = DEFAULT_HISTORY_MESSAGES
    transcripts: TranscriptReaders = TranscriptReaders.SUPERADMINS
    limits: TurnLimits
    options: Mapping[str, JsonObject] = {}
    created_at: datetime
    updated_at: datetime
    version: int


class InstanceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query for instances that meet all given conditions, ordered by creation time, then slug."""

    status: InstanceStatus | None = None
    search: str = ""
    """Part of the slug, the name or the description, ignoring case."""
    key_fingerprints: tuple[str, ...] = ()
    """Matches instances whose current or previous API key, expired or not, has one of these fingerprints."""
    limit: int | None = None
    offset: int = 0


class InstancePage(msgspec.Struct, frozen=True):
    """One page of a listing, and the total number of instances that match."""

    instances: tuple[InstanceSummary, ...]
    total: int


class InstanceChanges(msgspec.Struct, frozen=True):
    """The slugs written since an earlier revision, and the current revision."""

    revision: int
    slugs: frozenset[Slug]


def parse_slug(text: str) -> Slug:
    """Returns the text as a slug.

    Raises:
        InvalidInputError: The text breaks `SLUG_RULE`.
    """
    if len(text) > MAX_SLUG_CHARACTERS or not SLUG_PATTERN.match(text):
        raise InvalidInputError(f"A slug must be {SLUG_RULE}")
    return Slug(text)


def slug_from(name: str) -> str:
    """Returns a slug that resembles a display name, such as `cafe-bot` for `Café Bot!`; empty if there is none."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG_CHARACTERS].rstrip("-")


def check_instance(instance: Instance) -> Instance:
    """Returns the instance if every field is valid.

    Raises:
        InvalidInputError: A field is invalid; the message names the field and the rule.
    """
    parse_slug(instance.slug)
    _check_text("name", instance.name, minimum=1, maximum=MAX_NAME_CHARACTERS)
    _check_text("description", instance.description, minimum=0, maximum=MAX_DESCRIPTION_CHARACTERS)
    _check_text("model", instance.model, minimum=1, maximum=MAX_MODEL_CHARACTERS)
    if not _PROVIDER.match(instance.provider):
        raise InvalidInputError("provider must be 1 to 64 characters: a-z, 0-9, _ and -, starting with a letter")
    if instance.base_url is not None:
        parse_base_url(instance.base_url)
    if instance.temperature is not None and not 0 <= instance.temperature <= MAX_TEMPERATURE:
        raise InvalidInputError(f"temperature must be a number from 0 to {MAX_TEMPERATURE:g}")
    _check_range("historyTokens", instance.history_tokens, HistoryTokens)
    _check_range("historyMessages", instance.history_messages, HistoryMessages)
    check_turn_limits(instance.limits)
    check_mcp_servers(instance.mcp_servers)
    check_skills(instance.skills)
    if len(msgspec.json.encode(instance.options)) > MAX_OPTIONS_BYTES:
        raise InvalidInputError(f"options must have at most {MAX_OPTIONS_BYTES} bytes as JSON")
    return instance


def _check_range(field: str, number: int, kind: Any) -> None:
    try:
        msgspec.convert(number, kind)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"{error} - at `{field}`") from None


def _check_text(field: str, text: str, *, minimum: int, maximum: int) -> None:
    if len(text.strip()) < minimum or len(text) > maximum or _INVALID.search(text):
        raise InvalidInputError(f"{field} must have {minimum} to {maximum} characters and no control characters")
