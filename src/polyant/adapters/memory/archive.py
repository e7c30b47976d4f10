"""All data in memory, read and restored."""

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager

from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import SERVER, AuditEntry
from polyant.domain.backups import StoredItem, StoreNotEmptyError
from polyant.domain.channels import ChannelConnection
from polyant.domain.instances import Instance
from polyant.domain.ports.archive import Archive
from polyant.domain.skill_files import StoredSkillFile
from polyant.domain.users import User


class MemoryArchive(Archive):
    """Reads and restores what is in memory.

    Args:
        memory: The store that is shared with the repositories; None for a separate store.
    """

    def __init__(self, *, memory: MemoryStore | None = None) -> None:
        self._memory = memory or MemoryStore()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncIterator[StoredItem]]:
        memory = self._memory
        stored: list[StoredItem] = [
            *memory.instances.all(),
            *self._skill_files(),
            *memory.connections.values(),
            *memory.conversations.archived(),
            *memory.users.values(),
        ]
        yield _iterate([*stored, *memory.trail])

    async def check_empty(self) -> None:
        instances, users, trail = self._memory.instances.all(), self._memory.users.values(), self._memory.trail
        is_initial = (
            len(instances) <= 1
            and len(users) <= 1
            and len(trail) == len(instances) + len(users)
            and all(instance.version == 1 for instance in instances)
            and all(user.version == 1 for user in users)
            and all(entry.actor == SERVER for entry in trail)
            and not self._memory.connections
            and self._memory.conversations.is_empty
        )
        if not is_initial:
            raise StoreNotEmptyError

    async def restore(self, items: AsyncIterable[StoredItem], *, audit: AuditEntry) -> None:
        await self.check_empty()
        found = [item async for item in items]
        await self.check_empty()  # the iteration may have waited, and others may have written
        self._memory.instances.replace_all(item for item in found if isinstance(item, Instance))
        self._memory.connections = {item.id: item for item in found if isinstance(item, ChannelConnection)}
        self._memory.states.clear()
        self._memory.skill_files.clear()
        self._memory.add_skill_files(item for item in found if isinstance(item, StoredSkillFile))
        self._memory.conversations.restore(found)
        self._memory.users = {item.id: item for item in found if isinstance(item, User)}
        self._memory.end_sessions(lambda _: True)
        self._memory.trail = [*(item for item in found if isinstance(item, AuditEntry)), audit]

    def _skill_files(self) -> Iterator[StoredSkillFile]:
        for instance in self._memory.instances.all():
            used = {skill.digest for skill in instance.skills}
            yield from (f for f in self._memory.skill_files.get(instance.id, {}).values() if f.digest in used)


async def _iterate(items: list[StoredItem]) -> AsyncIterator[StoredItem]:
    for item in items:
        yield item
