"""Archives that each break one promise."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.archive import MemoryArchive
from polyant.adapters.memory.channel_connections import MemoryChannelConnections
from polyant.adapters.memory.conversation_repo import MemoryConversationRepo
from polyant.adapters.memory.inbox import MemoryInbox
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.skill_files import MemorySkillFiles
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry
from polyant.domain.backups import StoredItem, StoreNotEmptyError
from polyant.domain.channels import ChannelConnection
from polyant.domain.conversations import StoredConversation, StoredMessage, WrappedKey
from polyant.domain.instances import Instance
from polyant.domain.users import User
from polyant.testing.archive import ArchiveContract
from polyant.testing.manual_clock import ManualClock
from support.stores import InMemory


class MemoryContract(InMemory, ArchiveContract):
    made: type[MemoryArchive]

    @pytest.fixture
    def archive(self, memory: MemoryStore) -> MemoryArchive:
        return self.made(memory=memory)

    @pytest.fixture
    def instance_repo(self, memory: MemoryStore) -> MemoryInstanceRepo:
        return MemoryInstanceRepo(memory=memory)

    @pytest.fixture
    def skill_files(self, memory: MemoryStore) -> MemorySkillFiles:
        return MemorySkillFiles(memory=memory)

    @pytest.fixture
    def connections(self, memory: MemoryStore) -> MemoryChannelConnections:
        return MemoryChannelConnections(memory=memory)

    @pytest.fixture
    def conversation_repo(self, memory: MemoryStore) -> MemoryConversationRepo:
        return MemoryConversationRepo(store=memory, clock=ManualClock())

    @pytest.fixture
    def inbox(self, memory: MemoryStore) -> MemoryInbox:
        return MemoryInbox(store=memory, clock=ManualClock())


class FilteredArchive(MemoryArchive):
    """Forgets some items in both directions."""

    def keeps(self, item: StoredItem) -> bool:
        raise NotImplementedError

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncIterator[StoredItem]]:
        async with super().snapshot() as items:
            yield (item async for item in items if self.keeps(item))

    async def restore(self, items: AsyncIterable[StoredItem], *, audit: AuditEntry) -> None:
        await super().restore((item async for item in items if self.keeps(item)), audit=audit)


class ForgetsConnections(FilteredArchive):
    def keeps(self, item: StoredItem) -> bool:
        return not isinstance(item, ChannelConnection)


class TestConnectionsForgotten(MemoryContract):
    made = ForgetsConnections


class ForgetsMessages(FilteredArchive):
    def keeps(self, item: StoredItem) -> bool:
        return not isinstance(item, StoredMessage)


class TestMessagesForgotten(MemoryContract):
    made = ForgetsMessages


class ForgetsKey(FilteredArchive):
    def keeps(self, item: StoredItem) -> bool:
        return not isinstance(item, WrappedKey)


class TestKeyOfHashesForgotten(MemoryContract):
    made = ForgetsKey


class ChangingArchive(MemoryArchive):
    """Changes items when they are restored."""

    change: Callable[[StoredItem], StoredItem]

    async def restore(self, items: AsyncIterable[StoredItem], *, audit: AuditEntry) -> None:
        await super().restore((type(self).change(item) async for item in items), audit=audit)


class StartsVersions(ChangingArchive):
    """Restores through the repositories, which give new versions."""

    @staticmethod
    def change(item: StoredItem) -> StoredItem:
        return replace(item, version=1) if isinstance(item, Instance | User) else item


class TestVersionsLost(MemoryContract):
    made = StartsVersions


class ForgetsCurrent(ChangingArchive):
    """Restores conversations without their lanes."""

    @staticmethod
    def change(item: StoredItem) -> StoredItem:
        return replace(item, is_current=False) if isinstance(item, StoredConversation) else item


class TestCurrentConversationsLost(MemoryContract):
    made = ForgetsCurrent


class ReadsLate(MemoryArchive):
    """Reads the store while the items are iterated."""

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncIterator[StoredItem]]:
        yield self._items()

    async def _items(self) -> AsyncIterator[StoredItem]:
        for instance in self._memory.instances.all():
            yield instance
        for user in tuple(self._memory.users.values()):
            yield user
        for entry in tuple(self._memory.trail):
            yield entry


class TestLaterChangesVisible(MemoryContract):
    made = ReadsLate


class ReadsOnePage(MemoryArchive):
    """Reads the first thousand items of each kind."""

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncIterator[StoredItem]]:
        async with super().snapshot() as items:
            yield self._first(items)

    @staticmethod
    async def _first(items: AsyncIterator[StoredItem]) -> AsyncIterator[StoredItem]:
        counts: dict[type, int] = {}
        async for item in items:
            counts[type(item)] = counts.get(type(item), 0) + 1
            if counts[type(item)] <= 1_000:
                yield item


class TestOnePage(MemoryContract):
    made = ReadsOnePage


class LatestEntryFirst(MemoryArchive):
    """Lists the audit trail as the AuditLog does."""

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncIterator[StoredItem]]:
        trail = self._memory.trail
        self._memory.trail = trail[::-1]
        async with super().snapshot() as items:
            self._memory.trail = trail
            yield items


class TestLatestEntryFirst(MemoryContract):
    made = LatestEntryFirst


class ClearsFirst(MemoryArchive):
    """Removes the initial data before it has read all items."""

    async def restore(self, items: AsyncIterable[StoredItem], *, audit: AuditEntry) -> None:
        await self.check_empty()
        self._memory.users, self._memory.trail = {}, []
        await super().restore(items, audit=audit)


class TestRestoreNotAtomic(MemoryContract):
    made = ClearsFirst


class LeavesSessions(MemoryArchive):
    """Leaves the sessions of restored users."""

    async def restore(self, items: AsyncIterable[StoredItem], *, audit: AuditEntry) -> None:
        sessions = dict(self._memory.sessions)
        await super().restore(items, audit=audit)
        self._memory.sessions = sessions


class TestSessionsLeft(MemoryContract):
    made = LeavesSessions


class OverwritesAnything(MemoryArchive):
    """Checks only when it is asked to."""

    async def restore(self, items: AsyncIterable[StoredItem], *, audit: AuditEntry) -> None:
        found = [item async for item in items]
        instances, users = self._memory.instances, self._memory.users
        instances.replace_all(item for item in found if isinstance(item, Instance))
        users.clear()
        self._memory.trail.clear()
        self._memory.conversations.conversations.clear()
        await super().restore(_iterate(found), audit=audit)


async def _iterate(items: list[StoredItem]) -> AsyncIterator[StoredItem]:
    for item in items:
        yield item


class TestAnythingOverwritten(MemoryContract):
    made = OverwritesAnything


class CountsInstances(MemoryArchive):
    """Calls a store empty if it has at most one instance and one user."""

    async def check_empty(self) -> None:
        if len(self._memory.instances.all()) > 1 or len(self._memory.users) > 1:
            raise StoreNotEmptyError


class TestFullStoreCalledEmpty(MemoryContract):
    made = CountsInstances


class ForgetsConversations(MemoryArchive):
    """Calls a store with conversations empty."""

    async def check_empty(self) -> None:
        conversations = self._memory.conversations.conversations
        self._memory.conversations.conversations = {}
        try:
            await super().check_empty()
        finally:
            self._memory.conversations.conversations = conversations


class TestConversationsCalledEmpty(MemoryContract):
    made = ForgetsConversations


class CountsKeys(MemoryArchive):
    """Calls a store with the key of a day not empty."""

    async def check_empty(self) -> None:
        await super().check_empty()
        if self._memory.conversations.ingest_keys:
            raise StoreNotEmptyError


class TestKeyOfDayCalledData(MemoryContract):
    made = CountsKeys


class CopiesEveryKey(MemoryArchive):
    """Copies the keys of all days, whose events aren't copied."""

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncIterator[StoredItem]]:
        async with super().snapshot() as items:
            kept = [item async for item in items if not isinstance(item, WrappedKey)]
            yield _iterate([*self._memory.conversations.ingest_keys.values(), *kept])


class TestKeysOfDaysCopied(MemoryContract):
    made = CopiesEveryKey
