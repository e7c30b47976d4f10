"""Instances: the configured assistants that callers name as models."""

import enum
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NewType

import msgspec

from polyant.domain.errors import InvalidInputError
from polyant.domain.limits import TurnLimits, check_turn_limits
from polyant.domain.mcp_servers import McpServer, check_mcp_servers
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import AUTH_API_KEY, SealedSecret, SecretAddress, SecretName
from polyant.domain.urls import names_a_server

Slug = NewType("Slug", str)
"""An instance's public name, made by `parse_slug`."""

InstanceId = NewType("InstanceId", str)
"""An instance's lasting identity: 32 lowercase hex digits."""

MAX_OPTIONS_BYTES = 16 * 1024
"""How large all options of an instance may be together, as JSON."""

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
"""The characters that no text of an instance has, for a class of a regular expression; tab and newline are none."""

_PROVIDER = re.compile(r"\A[a-z][a-z0-9_-]{0,63}\Z")
_UNFIT = re.compile(rf"[{CONTROL_CHARACTERS}\ud800-\udfff]")


class InstanceStatus(enum.StrEnum):
    """Whether an instance is served."""

    ACTIVE = "active"
    DISABLED = "disabled"


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One configured assistant, with everything a turn needs; its secrets are sealed."""

    id: InstanceId
    slug: Slug
    name: str
    description: str = ""
    status: InstanceStatus = InstanceStatus.ACTIVE
    provider: str
    model: str
    base_url: str | None = None
    """Where the provider is reached; None is the provider's own address."""
    temperature: float | None = None
    auth_enabled: bool = False
    created_at: datetime
    updated_at: datetime
    version: int = 0
    """Counts the stored states of this instance; 0 is one that was never stored."""
    sections: Mapping[SectionKey, str] = {}
    secrets: Mapping[SecretName, SealedSecret] = {}
    tools: tuple[str, ...] = ()
    """Names of the tools that are enabled; a name may be of a tool that isn't installed any more."""
    limits: TurnLimits = TurnLimits()
    mcp_servers: tuple[McpServer, ...] = ()
    """Servers whose tools it has besides; no two of the same name."""
    options: Mapping[str, JsonObject] = {}
    """What is set for adapters, by the adapter's name; shown and exported, so no place for secrets."""

    @property
    def is_active(self) -> bool:
        """Whether callers may talk to it."""
        return self.status is InstanceStatus.ACTIVE

    @property
    def has_auth_key(self) -> bool:
        """Whether an API key is stored for its callers."""
        return AUTH_API_KEY in self.secrets

    def address_of(self, secret: SealedSecret) -> SecretAddress:
        """Returns where the sealed value is bound to."""
        return SecretAddress(instance_id=self.id, name=secret.name, origin=secret.origin)


class InstanceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing shows of an instance."""

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
    has_auth_key: bool
    limits: TurnLimits
    options: Mapping[str, JsonObject] = {}
    created_at: datetime
    updated_at: datetime
    version: int


class InstanceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which instances to list: those that meet every condition given, ordered by creation, then slug."""

    status: InstanceStatus | None = None
    search: str = ""
    """Part of the slug, the name or the description; upper and lower case are the same."""
    key_fingerprints: tuple[str, ...] = ()
    """Fingerprints one of which the instance's API key has, or the one before it, expired or not."""
    limit: int | None = None
    offset: int = 0


class InstancePage(msgspec.Struct, frozen=True):
    """One page of a listing, and how many instances the whole listing has."""

    instances: tuple[InstanceSummary, ...]
    total: int


class InstanceChanges(msgspec.Struct, frozen=True):
    """The slugs that were written since an earlier revision, and the revision reached."""

    revision: int
    slugs: frozenset[Slug]


def parse_slug(text: str) -> Slug:
    """Returns the text as a slug.

    Raises:
        InvalidInputError: It breaks `SLUG_RULE`.
    """
    if len(text) > MAX_SLUG_CHARACTERS or not SLUG_PATTERN.match(text):
        raise InvalidInputError(f"A slug is {SLUG_RULE}")
    return Slug(text)


def parse_base_url(text: str) -> str:
    """Returns the text as the base URL of a provider, without a trailing slash.

    Raises:
        InvalidInputError: It isn't an http or https URL with a host, or carries a user, a query or a fragment, where
            a secret might be hidden that would then show in logs.
    """
    url = text.strip().rstrip("/")
    server = url.partition("://")[2].partition("/")[0]
    if "@" in server or "?" in url or "#" in url:
        raise InvalidInputError("A base URL has no user, password, query or fragment: store keys as secrets")
    if not names_a_server(url):
        raise InvalidInputError("A base URL starts with http:// or https:// and names a host")
    return url


def check_instance(instance: Instance) -> Instance:
    """Returns the instance if each field keeps its rule.

    Raises:
        InvalidInputError: One doesn't; the message names the field and the rule.
    """
    parse_slug(instance.slug)
    _check_text("name", instance.name, least=1, most=MAX_NAME_CHARACTERS)
    _check_text("description", instance.description, least=0, most=MAX_DESCRIPTION_CHARACTERS)
    _check_text("model", instance.model, least=1, most=MAX_MODEL_CHARACTERS)
    if not _PROVIDER.match(instance.provider):
        raise InvalidInputError("provider must be 1 to 64 of a-z, 0-9, _ and -, starting with a letter")
    if instance.base_url is not None:
        parse_base_url(instance.base_url)
    if instance.temperature is not None and not 0 <= instance.temperature <= MAX_TEMPERATURE:
        raise InvalidInputError(f"temperature must be a number from 0 to {MAX_TEMPERATURE:g}")
    check_turn_limits(instance.limits)
    check_mcp_servers(instance.mcp_servers)
    if len(msgspec.json.encode(instance.options)) > MAX_OPTIONS_BYTES:
        raise InvalidInputError(f"options must have at most {MAX_OPTIONS_BYTES} bytes as JSON")
    return instance


def _check_text(field: str, text: str, *, least: int, most: int) -> None:
    if not least <= len(text.strip()) or len(text) > most or _UNFIT.search(text):
        raise InvalidInputError(f"{field} must have {least} to {most} characters and no control characters")
