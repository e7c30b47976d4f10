"""Use case: list the instances that need an operator's attention."""

import asyncio
from collections.abc import Mapping

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.attention import Attention, AttentionKind, attention_for
from polyant.domain.instances import InstanceQuery, Slug
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.tool import Tool
from polyant.domain.provider_keys import ProviderKeys
from polyant.domain.use_cases.list_channel_attention import ListChannelAttention

_GRAVITY = {kind: number for number, kind in enumerate(AttentionKind)}


class ListAttention:
    """Finds instances that can't answer, that nobody can call, or that anybody can, and channels that don't work.

    It remembers what it found, and examines an instance again only after a change, so that a call costs one query, and
    those of ListChannelAttention.
    """

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        providers: Mapping[str, ProviderInfo],
        tools: Mapping[str, Tool],
        provider_keys: ProviderKeys,
        options: AdapterOptions,
        channels: ListChannelAttention,
    ) -> None:
        self._repo = repo
        self._providers = providers
        self._tools = tools
        self._provider_keys = provider_keys
        self._options = options
        self._channels = channels
        self._revision: int | None = None
        self._found: dict[Slug, Attention] = {}
        self._names: dict[Slug, str] = {}
        """The names of the active instances."""
        self._lock = asyncio.Lock()

    async def __call__(self) -> tuple[Attention, ...]:
        """Returns the gravest problem of each active instance and of each of its channels, the gravest first.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
        async with self._lock:
            await self._refresh()
            found = tuple(self._found.values())
            names = dict(self._names)
        found += await self._channels(names)
        return tuple(sorted(found, key=lambda each: (_GRAVITY[each.kind], each.slug, each.channel or "")))

    async def _refresh(self) -> None:
        """Examines the instances that were written since the last call."""
        changes = await self._repo.changes_since(self._revision or 0)
        if changes.revision == self._revision:
            return
        slugs = changes.slugs if self._revision is not None else await self._all()
        for slug in slugs:
            await self._examine(slug)
        self._revision = changes.revision

    async def _all(self) -> frozenset[Slug]:
        return frozenset(instance.slug for instance in (await self._repo.list(InstanceQuery())).instances)

    async def _examine(self, slug: Slug) -> None:
        instance = await self._repo.get(slug)
        found = None
        self._names.pop(slug, None)
        if instance is not None and instance.is_active:
            self._names[slug] = instance.name
        if instance is not None:
            found = await attention_for(
                instance,
                providers=self._providers,
                tools=self._tools,
                provider_keys=self._provider_keys,
                options=self._options,
            )
        if found is None:
            self._found.pop(slug, None)
        else:
            self._found[slug] = found
