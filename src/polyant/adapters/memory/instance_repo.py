"""Instances in memory."""

from collections.abc import Iterable

import msgspec

from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import InstanceChangedError, InstanceExistsError, UnknownInstanceError
from polyant.domain.instances import (
    Instance,
    InstanceChanges,
    InstanceId,
    InstancePage,
    InstanceQuery,
    InstanceSummary,
    Slug,
)
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.secrets import CALLER_KEYS


class MemoryInstanceRepo(InstanceRepo):
    """Keeps instances in memory.

    No method awaits anything, so each one is atomic.

    Args:
        memory: The store that is shared with the audit log; None for a separate store.
    """

    def __init__(self, *, memory: MemoryStore | None = None) -> None:
        self._memory = memory or MemoryStore()
        self._instances: dict[Slug, Instance] = {}
        self._slugs: dict[InstanceId, Slug] = {}
        self._holders: dict[str, set[Slug]] = {}
        self._changes: dict[Slug, int] = {}
        self._revision = 0

    async def get(self, slug: Slug) -> Instance | None:
        return self._instances.get(slug)

    async def list(self, query: InstanceQuery) -> InstancePage:
        found = sorted(
            (instance for instance in self._candidates(query) if _matches(instance, query)),
            key=lambda instance: (instance.created_at, instance.slug),
        )
        end = None if query.limit is None else query.offset + query.limit
        return InstancePage(tuple(map(_summary_of, found[query.offset : end])), len(found))

    async def add(self, instance: Instance, *, audit: AuditEntry | None = None) -> Instance:
        if instance.slug in self._instances or instance.id in self._slugs:
            raise InstanceExistsError(instance.slug)
        self._memory.append_audit(audit)
        return self._put(msgspec.structs.replace(instance, version=0))

    async def save(self, instance: Instance, *, audit: AuditEntry | None = None) -> Instance:
        slug = self._slugs.get(instance.id)
        if slug is None:
            raise UnknownInstanceError
        stored = self._instances[slug]
        if stored.version != instance.version:
            raise InstanceChangedError(slug)
        self._memory.append_audit(audit)
        self._remove(slug)
        return self._put(msgspec.structs.replace(instance, slug=slug, created_at=stored.created_at))

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        if slug not in self._instances:
            raise UnknownInstanceError
        if version not in {None, self._instances[slug].version}:
            raise InstanceChangedError(slug)
        self._memory.append_audit(audit)
        self._remove(slug)

    async def changes_since(self, revision: int) -> InstanceChanges:
        changed = frozenset(slug for slug, changed_at in self._changes.items() if changed_at > revision)
        return InstanceChanges(self._revision, changed)

    def _put(self, instance: Instance) -> Instance:
        stored = msgspec.structs.replace(instance, version=instance.version + 1)
        self._instances[stored.slug] = stored
        self._slugs[stored.id] = stored.slug
        for fingerprint in _fingerprints_of(stored):
            self._holders.setdefault(fingerprint, set()).add(stored.slug)
        self._note_change(stored.slug)
        return stored

    def _remove(self, slug: Slug) -> None:
        removed = self._instances.pop(slug)
        del self._slugs[removed.id]
        for fingerprint in _fingerprints_of(removed):
            self._holders[fingerprint].discard(slug)
            if not self._holders[fingerprint]:
                del self._holders[fingerprint]
        self._note_change(slug)

    def _note_change(self, slug: Slug) -> None:
        self._revision += 1
        self._changes[slug] = self._revision

    def _candidates(self, query: InstanceQuery) -> Iterable[Instance]:
        if not query.key_fingerprints:
            return self._instances.values()
        holders = set[Slug]().union(*(self._holders.get(fingerprint, ()) for fingerprint in query.key_fingerprints))
        return [self._instances[slug] for slug in holders]


def _matches(instance: Instance, query: InstanceQuery) -> bool:
    if query.status not in {None, instance.status}:
        return False
    search = query.search.lower()
    return any(search in text.lower() for text in (instance.slug, instance.name, instance.description))


def _fingerprints_of(instance: Instance) -> set[str]:
    keys = (instance.secrets[name] for name in CALLER_KEYS if name in instance.secrets)
    return {key.fingerprint for key in keys if key.fingerprint}


def _summary_of(instance: Instance) -> InstanceSummary:
    shown = {name: getattr(instance, name) for name in InstanceSummary.__struct_fields__}
    return InstanceSummary(**shown)
