"""Stores of channel connections that each break one promise."""

import asyncio
from datetime import datetime

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.channel_connections import MemoryChannelConnections
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry
from polyant.domain.channel_problems import ProblemKind, with_problem
from polyant.domain.channels import ChannelConnection, ChannelName, ConnectionExistsError, ConnectionId
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.instances import InstanceId
from polyant.testing.channel_connections import ChannelConnectionsContract
from support.stores import InMemory


class MemoryContract(InMemory, ChannelConnectionsContract):
    made: type[MemoryChannelConnections]

    @pytest.fixture
    def connections(self, memory: MemoryStore) -> MemoryChannelConnections:
        return self.made(memory=memory)

    @pytest.fixture
    def instance_repo(self, memory: MemoryStore) -> MemoryInstanceRepo:
        return MemoryInstanceRepo(memory=memory)


class ChecksThenInserts(MemoryChannelConnections):
    """Looks for the account in one query, and inserts in the next."""

    async def add(self, connection: ChannelConnection, *, audit: AuditEntry | None = None) -> ChannelConnection:
        await self._check_unique(connection)
        await asyncio.sleep(0)
        if self._memory.instances.find(connection.instance_id) is None:
            raise UnknownInstanceError(connection.slug)
        self._memory.append_audit(audit)
        return self._put(replace(connection, version=0, problems=()))


class TestInsertNotAtomic(MemoryContract):
    made = ChecksThenInserts


class ChecksThenUpdates(MemoryChannelConnections):
    """Compares versions before the update instead of in it."""

    async def _stored(self, connection_id: ConnectionId, version: int | None) -> ChannelConnection:
        stored = await super()._stored(connection_id, version)
        await asyncio.sleep(0)
        return stored


class TestUpdateNotAtomic(MemoryContract):
    made = ChecksThenUpdates


class ForgetsChannel(MemoryChannelConnections):
    """Has a unique index on the account alone."""

    async def _check_unique(self, connection: ChannelConnection) -> None:
        await super()._check_unique(connection)
        others = [other for other in await self.list() if other.id != connection.id]
        if any(other.account == connection.account for other in others):
            raise ConnectionExistsError(connection.channel, same_account=True)


class TestAccountsOfAllChannelsUnique(MemoryContract):
    made = ForgetsChannel


class FoldsAccounts(MemoryChannelConnections):
    """Has a unique index that ignores case."""

    async def _check_unique(self, connection: ChannelConnection) -> None:
        await super()._check_unique(connection)
        others = [other for other in await self.list(channel=connection.channel) if other.id != connection.id]
        accounts = {other.account.casefold() for other in others}
        if connection.account.casefold() in accounts:
            raise ConnectionExistsError(connection.channel, same_account=True)


class TestAccountsFolded(MemoryContract):
    made = FoldsAccounts


class ManyOfAChannel(MemoryChannelConnections):
    """Lets an instance have two accounts of a channel."""

    async def _check_unique(self, connection: ChannelConnection) -> None:
        others = [other for other in await self.list(channel=connection.channel) if other.id != connection.id]
        if any(connection.account == other.account for other in others):
            raise ConnectionExistsError(connection.channel, same_account=True)


class TestTwoAccountsOfAChannel(MemoryContract):
    made = ManyOfAChannel


class OverwritesProblems(MemoryChannelConnections):
    """Updates all columns."""

    async def save(self, connection: ChannelConnection, *, audit: AuditEntry | None = None) -> ChannelConnection:
        saved = await super().save(connection, audit=audit)
        self._memory.connections[saved.id] = replace(saved, problems=connection.problems)
        return self._memory.connections[saved.id]


class TestProblemsOverwritten(MemoryContract):
    made = OverwritesProblems


class RestartsProblems(MemoryChannelConnections):
    """Stores the time of the last report."""

    async def set_problem(
        self, connection_id: ConnectionId, kind: ProblemKind, reason: str | None, *, at: datetime
    ) -> None:
        await super().set_problem(connection_id, kind, None, at=at)
        await super().set_problem(connection_id, kind, reason, at=at)


class TestProblemsBeginAgain(MemoryContract):
    made = RestartsProblems


class OneProblem(MemoryChannelConnections):
    """Keeps the last problem only."""

    async def set_problem(
        self, connection_id: ConnectionId, kind: ProblemKind, reason: str | None, *, at: datetime
    ) -> None:
        stored = await self.get(connection_id)
        if stored is not None:
            problems = with_problem((), kind, reason, at=at)
            self._memory.connections[connection_id] = replace(stored, problems=problems)


class TestOneProblem(MemoryContract):
    made = OneProblem


class ReadsThenWritesProblems(MemoryChannelConnections):
    """Reads the problems in one query, and writes them in the next."""

    async def set_problem(
        self, connection_id: ConnectionId, kind: ProblemKind, reason: str | None, *, at: datetime
    ) -> None:
        stored = await self.get(connection_id)
        await asyncio.sleep(0)
        if stored is not None:
            problems = with_problem(stored.problems, kind, reason, at=at)
            self._memory.connections[connection_id] = replace(stored, problems=problems)


class TestProblemsNotAtomic(MemoryContract):
    made = ReadsThenWritesProblems


class CountsProblems(MemoryChannelConnections):
    """Treats a problem as a change of the connection."""

    async def set_problem(
        self, connection_id: ConnectionId, kind: ProblemKind, reason: str | None, *, at: datetime
    ) -> None:
        await super().set_problem(connection_id, kind, reason, at=at)
        stored = await self.get(connection_id)
        if stored is not None:
            self._put(stored)


class TestProblemsChangeTheVersion(MemoryContract):
    made = CountsProblems


class TruncatesUsers(MemoryChannelConnections):
    """Has a column for 64 KiB of users."""

    async def add(self, connection: ChannelConnection, *, audit: AuditEntry | None = None) -> ChannelConnection:
        return await super().add(replace(connection, users=frozenset([*connection.users][:1_000])), audit=audit)


class TestUsersTruncated(MemoryContract):
    made = TruncatesUsers


class ForgetsInstance(MemoryChannelConnections):
    """Forgets one of two conditions."""

    async def list(
        self, *, instance_id: InstanceId | None = None, channel: ChannelName | None = None
    ) -> tuple[ChannelConnection, ...]:
        return await super().list(instance_id=None if channel else instance_id, channel=channel)


class TestInstanceForgotten(MemoryContract):
    made = ForgetsInstance


class LatestFirst(MemoryChannelConnections):
    """Lists the latest first."""

    async def list(
        self, *, instance_id: InstanceId | None = None, channel: ChannelName | None = None
    ) -> tuple[ChannelConnection, ...]:
        return (await super().list(instance_id=instance_id, channel=channel))[::-1]


class TestLatestFirst(MemoryContract):
    made = LatestFirst


class DeletesSilently(MemoryChannelConnections):
    """Treats the deletion of an unknown connection as done."""

    async def delete(
        self, connection_id: ConnectionId, *, version: int | None = None, audit: AuditEntry | None = None
    ) -> None:
        if await self.get(connection_id) is not None:
            await super().delete(connection_id, version=version, audit=audit)


class TestUnknownConnectionDeleted(MemoryContract):
    made = DeletesSilently


class AuditsAttempts(MemoryChannelConnections):
    """Writes the entry before the change."""

    async def add(self, connection: ChannelConnection, *, audit: AuditEntry | None = None) -> ChannelConnection:
        self._memory.append_audit(audit)
        return await super().add(connection)


class TestRefusedAdditionAudited(MemoryContract):
    made = AuditsAttempts
