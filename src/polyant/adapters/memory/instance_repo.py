"""Instances in memory."""

from collections.abc import Iterable, Sequence

import msgspec

from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import InstanceChangedError, InstanceExistsError, UnknownInstanceError
from polyant.domain.instance_states import InstanceState
from polyant.domain.instances import (
    Instance,
    InstanceChanges,
    InstancePage,
    InstanceQuery,
    InstanceSummary,
    Slug,
)
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.skill_files import StoredSkillFile


class MemoryInstanceRepo(InstanceRepo):
    """Keeps instances in memory.

    No method awaits anything, so each one is atomic.

    Args:
        memory: The store that is shared with the audit log and the history; None for a separate store.
    """

    def __init__(self, *, memory: MemoryStore | None = None) -> None:
        self._memory = memory or MemoryStore()
        self._instances = self._memory.instances

    async def get(self, slug: Slug) -> Instance | None:
        return self._instances.get(slug)

    async def list(self, query: InstanceQuery) -> InstancePage:
        found = sorted(
            (instance for instance in self._candidates(query) if _matches(instance, query)),
            key=lambda instance: (instance.created_at, instance.slug),
        )
        end = None if query.limit is None else query.offset + query.limit
        return InstancePage(tuple(map(_summary_of, found[query.offset : end])), len(found))

    async def add(
        self, instance: Instance, *, audit: AuditEntry | None = None, skill_files: Sequence[StoredSkillFile] = ()
    ) -> Instance:
        if self._instances.get(instance.slug) or self._instances.find(instance.id):
            raise InstanceExistsError(instance.slug)
        self._require_skill_files(instance, skill_files)
        self._memory.append_audit(audit)
        self._memory.add_skill_files(skill_files)
        return self._put(msgspec.structs.replace(instance, version=0))

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        stored = self._instances.find(instance.id)
        if stored is None:
            raise UnknownInstanceError(instance.slug)
        if stored.version != instance.version:
            raise InstanceChangedError(stored.slug)
        self._require_skill_files(instance, skill_files)
        self._memory.append_audit(audit)
        self._memory.add_state(replaced)
        self._memory.add_skill_files(skill_files)
        self._instances.remove(stored.slug)
        return self._put(msgspec.structs.replace(instance, slug=stored.slug, created_at=stored.created_at))

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        stored = self._instances.get(slug)
        if stored is None:
            raise UnknownInstanceError(slug)
        if version not in {None, stored.version}:
            raise InstanceChangedError(slug)
        self._memory.append_audit(audit)
        self._memory.states.pop(stored.id, None)
        self._memory.end_connections(stored.id)
        self._memory.skill_files.pop(stored.id, None)
        self._instances.remove(slug)

    async def changes_since(self, revision: int) -> InstanceChanges:
        return self._instances.changes_since(revision)

    def _put(self, instance: Instance) -> Instance:
        stored = msgspec.structs.replace(instance, version=instance.version + 1)
        self._instances.put(stored)
        self._memory.drop_unused_skill_files(stored.id)
        return stored

    def _require_skill_files(self, instance: Instance, given: Iterable[StoredSkillFile]) -> None:
        known = self._memory.skill_files.get(instance.id, {})
        digests = {digest for digest, _ in known} | {file.digest for file in given}
        if any(skill.digest not in digests for skill in instance.skills):
            raise InstanceChangedError(instance.slug)

    def _candidates(self, query: InstanceQuery) -> Iterable[Instance]:
        return self._instances.holders_of(query.key_fingerprints) if query.key_fingerprints else self._instances.all()


def _matches(instance: Instance, query: InstanceQuery) -> bool:
    if query.status not in {None, instance.status}:
        return False
    search = query.search.lower()
    return any(search in text.lower() for text in (instance.slug, instance.name, instance.description))


def _summary_of(instance: Instance) -> InstanceSummary:
    shown = {name: getattr(instance, name) for name in InstanceSummary.__struct_fields__}
    return InstanceSummary(**shown)
