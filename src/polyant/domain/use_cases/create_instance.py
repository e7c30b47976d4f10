"""Use case: create an instance."""

from collections.abc import Mapping
from typing import Any

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.base_urls import parse_base_url
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Instance, InstanceId, Slug, check_instance, parse_slug
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.skill_files import SkillFiles
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.prompts import SectionKey, check_section, default_sections
from polyant.domain.secrets import AUTH_API_KEY, SecretText
from polyant.domain.skill_files import StoredSkillFile, pack_skills
from polyant.domain.use_cases.export_instance import ExportInstance
from polyant.domain.use_cases.set_secret import parse_secrets, with_secrets

_COPIED = (
    "description",
    "sections",
    "tools",
    "limits",
    "mcp_servers",
    "options",
    "conversations",
    "history_tokens",
    "history_messages",
    "image_input",
    "skills",
)


class NewInstance(msgspec.Struct, frozen=True, kw_only=True):
    """The instance to create."""

    slug: str
    name: str | None = None
    """The display name; None means the slug."""
    description: str = ""
    provider: str = "scripted"
    model: str | None = None
    """None means the provider's default model."""
    base_url: str | None = None
    temperature: float | None = None
    sections: Mapping[SectionKey, str] = {}
    """The sections that replace default ones."""
    secrets: Mapping[str, str] = {}
    """The secrets to store, by name; the representation doesn't contain them."""
    copy_of: Slug | None = None
    """The instance from which the new one gets its description, other sections, tools, limits, skills and so on."""
    issue_key: bool = False
    """Whether to generate an API key and to turn auth on."""

    def __repr__(self) -> str:
        """Returns a representation without secrets."""
        return f"NewInstance(slug={self.slug!r}, provider={self.provider!r})"


class CreatedInstance(msgspec.Struct, frozen=True):
    """A new instance, and the API key that was generated for it, which can't be read again."""

    instance: Instance
    key: SecretText | None


class CreateInstance:
    """Stores a new instance in one transaction; by default with the default sections, no tools, and auth turned off."""

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        skill_files: SkillFiles,
        clock: Clock,
        tokens: TokenSource,
        cipher: SecretCipher,
        providers: Mapping[str, ProviderInfo],
        outbound: OutboundPolicy,
    ) -> None:
        self._repo = repo
        self._export = ExportInstance(repo=repo, files=skill_files)
        self._clock = clock
        self._tokens = tokens
        self._cipher = cipher
        self._providers = providers
        self._outbound = outbound

    async def __call__(self, new: NewInstance, *, by: Actor, unrestricted: bool = False) -> CreatedInstance:
        """Returns the stored instance.

        With `unrestricted`, the author may set a base URL outside the public internet.

        Raises:
            InstanceExistsError: The slug is taken.
            UnknownInstanceError: There is no instance to copy.
            InvalidInputError: A value is invalid, the provider is unknown, or the author may not set one of the
                addresses, the copied ones included.
        """
        info = find_provider(self._providers, new.provider)
        now = self._clock.now()
        name = new.name or new.slug
        instance_id = self._tokens.instance_id()
        copied, files = await self._copied(new, instance_id)
        sections, description = copied.pop("sections", default_sections(name)), copied.pop("description", "")
        instance = Instance(
            **copied,
            id=instance_id,
            slug=parse_slug(new.slug),
            name=name,
            description=new.description or description,
            provider=info.name,
            model=new.model or info.default_model,
            base_url=parse_base_url(new.base_url) if new.base_url else None,
            temperature=new.temperature,
            auth_enabled=new.issue_key,
            created_at=now,
            updated_at=now,
            sections={**sections, **{key: check_section(key, text) for key, text in new.sections.items()}},
        )
        given = check_instance(instance).addresses
        approved = self._outbound.approved(instance, given, unrestricted=unrestricted, before=instance)
        key = self._tokens.api_key() if new.issue_key else None
        secrets = parse_secrets(new.secrets) | ({} if key is None else {AUTH_API_KEY: key})
        complete = await with_secrets(self._cipher, approved, secrets, providers=self._providers, now=now)
        change = Change(by, "instance.create", tuple(secrets))
        audit = change.entry(now, instance=instance.slug)
        stored = await self._repo.add(complete, audit=audit, skill_files=files)
        return CreatedInstance(stored, key)

    async def _copied(
        self, new: NewInstance, instance_id: InstanceId
    ) -> tuple[dict[str, Any], tuple[StoredSkillFile, ...]]:
        """Returns the fields and the files of skills that the new instance takes over from the one that it copies."""
        if new.copy_of is None:
            return {}, ()
        source = await self._export(new.copy_of)
        _, files = pack_skills(instance_id, source.skills)
        return {name: getattr(source.instance, name) for name in _COPIED}, files


def find_provider(providers: Mapping[str, ProviderInfo], name: str) -> ProviderInfo:
    """Returns the provider with that name.

    Raises:
        InvalidInputError: The provider is unknown; the message lists the available ones.
    """
    info = providers.get(name)
    if info is None:
        raise InvalidInputError(f"Unknown provider '{name}'; available: {', '.join(sorted(providers))}")
    return info
