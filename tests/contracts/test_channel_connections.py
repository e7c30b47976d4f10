import pytest

from polyant.adapters.memory.channel_connections import MemoryChannelConnections
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.piccolo.channel_connections import PiccoloChannelConnections
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.testing.channel_connections import ChannelConnectionsContract, ChannelConnectionsOutageContract
from support.stores import InMemory, OnPostgres, OnSqlite


class TestMemoryChannelConnections(InMemory, ChannelConnectionsContract):
    @pytest.fixture
    def connections(self, memory: MemoryStore) -> MemoryChannelConnections:
        return MemoryChannelConnections(memory=memory)


class _InDatabase:
    @pytest.fixture
    def connections(self, store: PiccoloDatabase) -> PiccoloChannelConnections:
        return PiccoloChannelConnections(database=store)


class TestPiccoloChannelConnectionsOnSqlite(
    _InDatabase, OnSqlite, ChannelConnectionsContract, ChannelConnectionsOutageContract
):
    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloChannelConnections:
        return PiccoloChannelConnections(database=lost_sqlite_database)


class TestPiccoloChannelConnectionsOnPostgres(
    _InDatabase, OnPostgres, ChannelConnectionsContract, ChannelConnectionsOutageContract
):
    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloChannelConnections:
        return PiccoloChannelConnections(database=lost_postgres_database)
