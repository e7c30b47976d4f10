import pytest

from polyant.adapters.memory.archive import MemoryArchive
from polyant.adapters.memory.channel_connections import MemoryChannelConnections
from polyant.adapters.memory.conversation_repo import MemoryConversationRepo
from polyant.adapters.memory.inbox import MemoryInbox
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.piccolo.archive import PiccoloArchive
from polyant.adapters.piccolo.channel_connections import PiccoloChannelConnections
from polyant.adapters.piccolo.conversation_repo import PiccoloConversationRepo
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.inbox import PiccoloInbox
from polyant.testing.archive import ArchiveContract, ArchiveOutageContract
from polyant.testing.manual_clock import ManualClock
from support.stores import InMemory, OnPostgres, OnSqlite


class TestMemoryArchive(InMemory, ArchiveContract):
    @pytest.fixture
    def archive(self, memory: MemoryStore) -> MemoryArchive:
        return MemoryArchive(memory=memory)

    @pytest.fixture
    def connections(self, memory: MemoryStore) -> MemoryChannelConnections:
        return MemoryChannelConnections(memory=memory)

    @pytest.fixture
    def conversation_repo(self, memory: MemoryStore) -> MemoryConversationRepo:
        return MemoryConversationRepo(store=memory, clock=ManualClock())

    @pytest.fixture
    def inbox(self, memory: MemoryStore) -> MemoryInbox:
        return MemoryInbox(store=memory, clock=ManualClock())


class _InDatabase:
    @pytest.fixture
    def archive(self, store: PiccoloDatabase) -> PiccoloArchive:
        return PiccoloArchive(database=store)

    @pytest.fixture
    def connections(self, store: PiccoloDatabase) -> PiccoloChannelConnections:
        return PiccoloChannelConnections(database=store)

    @pytest.fixture
    def conversation_repo(self, store: PiccoloDatabase) -> PiccoloConversationRepo:
        return PiccoloConversationRepo(database=store)

    @pytest.fixture
    def inbox(self, store: PiccoloDatabase) -> PiccoloInbox:
        return PiccoloInbox(database=store)


class TestPiccoloArchiveOnSqlite(_InDatabase, OnSqlite, ArchiveContract, ArchiveOutageContract):
    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloArchive:
        return PiccoloArchive(database=lost_sqlite_database)


class TestPiccoloArchiveOnPostgres(_InDatabase, OnPostgres, ArchiveContract, ArchiveOutageContract):
    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloArchive:
        return PiccoloArchive(database=lost_postgres_database)
