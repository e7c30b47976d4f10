"""Use case: create an instance."""

from collections.abc import Mapping

from polyant.domain.audit import Actor, Change
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Instance, check_instance, parse_base_url, parse_slug
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.prompts import default_sections


class CreateInstance:
    """Stores a new instance with the default sections, without tools and with auth turned off."""

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        clock: Clock,
        tokens: TokenSource,
        providers: Mapping[str, ProviderInfo],
        outbound: OutboundPolicy,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._tokens = tokens
        self._providers = providers
        self._outbound = outbound

    async def __call__(
        self,
        slug: str,
        *,
        by: Actor,
        unrestricted: bool = False,
        name: str | None = None,
        description: str = "",
        provider: str = "scripted",
        model: str | None = None,
        base_url: str | None = None,
        temperature: float | None = None,
    ) -> Instance:
        """Returns the stored instance; its name defaults to its slug.

        With `unrestricted`, the author may set a base URL outside the public internet.

        Raises:
            InstanceExistsError: The slug is taken.
            InvalidInputError: A value is invalid, the provider is unknown, or the author may not set the base URL.
        """
        info = find_provider(self._providers, provider)
        now = self._clock.now()
        instance = Instance(
            id=self._tokens.instance_id(),
            slug=parse_slug(slug),
            name=name or slug,
            description=description,
            provider=info.name,
            model=model or info.default_model,
            base_url=parse_base_url(base_url) if base_url else None,
            temperature=temperature,
            created_at=now,
            updated_at=now,
            sections=default_sections(name or slug),
        )
        given = check_instance(instance).addresses
        approved = self._outbound.approved(instance, given, unrestricted=unrestricted, before=instance)
        change = Change(by, "instance.create")
        return await self._repo.add(approved, audit=change.entry(now, instance=instance.slug))


def find_provider(providers: Mapping[str, ProviderInfo], name: str) -> ProviderInfo:
    """Returns the provider with that name.

    Raises:
        InvalidInputError: The provider is unknown; the message lists the available ones.
    """
    info = providers.get(name)
    if info is None:
        raise InvalidInputError(f"Unknown provider '{name}'; available: {', '.join(sorted(providers))}")
    return info
