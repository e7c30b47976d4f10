"""Uncached reads of instances, for code that changes them."""

from collections.abc import Sequence

from polyant.adapters.cache.instance_repo import CachedInstanceRepo
from polyant.domain.audit import AuditEntry
from polyant.domain.instance_states import InstanceState
from polyant.domain.instances import Instance, InstanceChanges, InstancePage, InstanceQuery, Slug
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.skill_files import StoredSkillFile


class FreshInstanceRepo(InstanceRepo):
    """Reads bypass the cache and see the writes of every process; writes go through it and drop the cached instance."""

    def __init__(self, inner: InstanceRepo, cache: CachedInstanceRepo) -> None:
        self._inner = inner
        self._cache = cache

    async def get(self, slug: Slug) -> Instance | None:
        return await self._inner.get(slug)

    async def list(self, query: InstanceQuery) -> InstancePage:
        return await self._inner.list(query)

    async def add(
        self, instance: Instance, *, audit: AuditEntry | None = None, skill_files: Sequence[StoredSkillFile] = ()
    ) -> Instance:
        return await self._cache.add(instance, audit=audit, skill_files=skill_files)

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        return await self._cache.save(instance, audit=audit, replaced=replaced, skill_files=skill_files)

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        await self._cache.delete(slug, version=version, audit=audit)

    async def changes_since(self, revision: int) -> InstanceChanges:
        return await self._inner.changes_since(revision)
