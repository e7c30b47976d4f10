"""Rigs around the conversation stores, and their fixtures for the contracts of the five ports."""

import pytest

from polyant.adapters.memory.conversation_maintenance import MemoryConversationMaintenance
from polyant.adapters.memory.conversation_repo import MemoryConversationRepo
from polyant.adapters.memory.inbox import MemoryInbox
from polyant.adapters.memory.lanes import MemoryLanes
from polyant.adapters.memory.outbox import MemoryOutbox
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.piccolo.conversation_maintenance import PiccoloConversationMaintenance
from polyant.adapters.piccolo.conversation_repo import PiccoloConversationRepo
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.inbox import PiccoloInbox
from polyant.adapters.piccolo.lanes import PiccoloLanes
from polyant.adapters.piccolo.outbox import PiccoloOutbox
from polyant.testing.conversation_store import ClockedConversationStoreRig, ConversationStoreRig
from polyant.testing.manual_clock import ManualClock


class MemoryConversationStoreRig(ClockedConversationStoreRig):
    """The five ports around one MemoryStore, and its clock."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), ManualClock()
        super().__init__(
            self.clock,
            conversations=MemoryConversationRepo(store=self.store, clock=self.clock),
            maintenance=MemoryConversationMaintenance(store=self.store, clock=self.clock),
            lanes=MemoryLanes(store=self.store, clock=self.clock),
            inbox=MemoryInbox(store=self.store, clock=self.clock),
            outbox=MemoryOutbox(store=self.store, clock=self.clock),
        )


_MAKE_OLDER = {
    "lanes": ("due_at", "not_before", "burst_since"),
    "channel_events": ("received_at",),
    "channel_deliveries": ("created_at", "updated_at"),
}
"""The times by the database's clock."""


class PiccoloConversationStoreRig(ConversationStoreRig):
    """The five ports around one database; time advances by moving its rows into the past."""

    def __init__(self, database: PiccoloDatabase) -> None:
        self._database = database
        self.conversations = PiccoloConversationRepo(database=database)
        self.maintenance = PiccoloConversationMaintenance(database=database)
        self.lanes = PiccoloLanes(database=database)
        self.inbox = PiccoloInbox(database=database)
        self.outbox = PiccoloOutbox(database=database)

    async def advance(self, seconds: float) -> None:
        for table, columns in _MAKE_OLDER.items():
            changes = ", ".join(f"{column} = {column} - {round(seconds * 1_000_000)}" for column in columns)
            await self._database.run(f"UPDATE {table} SET {changes}")  # noqa: S608 - no input


class InMemory:
    """The rig of the store in memory."""

    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        return MemoryConversationStoreRig()


class WithRepo:
    """The rig of the store in memory, with another repository of conversations."""

    repo: type[MemoryConversationRepo]

    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        rig = MemoryConversationStoreRig()
        rig.conversations = self.repo(store=rig.store, clock=rig.clock)
        return rig


class OnSqlite:
    """The rigs of a SQLite database, and of one that is lost."""

    @pytest.fixture
    def rig(self, sqlite_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(sqlite_database)

    @pytest.fixture
    def unavailable(self, lost_sqlite_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(lost_sqlite_database)


class OnPostgres:
    """The rigs of a PostgreSQL database, and of one that is lost."""

    @pytest.fixture
    def rig(self, postgres_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(postgres_database)

    @pytest.fixture
    def unavailable(self, lost_postgres_database: PiccoloDatabase) -> PiccoloConversationStoreRig:
        return PiccoloConversationStoreRig(lost_postgres_database)
