"""Channel connections in memory."""

from datetime import datetime

import msgspec

from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry
from polyant.domain.channel_problems import ProblemKind, with_problem
from polyant.domain.channels import (
    ChannelConnection,
    ChannelName,
    ConnectionChangedError,
    ConnectionExistsError,
    ConnectionId,
    UnknownConnectionError,
    account_to_save,
)
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.instances import InstanceId
from polyant.domain.ports.channel_connections import ChannelConnections

_IMMUTABLE = ("channel", "instance_id", "slug", "created_at", "problems")


class MemoryChannelConnections(ChannelConnections):
    """Keeps connections in memory.

    No method awaits anything, so each one is atomic.

    Args:
        memory: The store that is shared with the InstanceRepo and the AuditLog; None for a separate store.
    """

    def __init__(self, *, memory: MemoryStore | None = None) -> None:
        self._memory = memory or MemoryStore()

    async def get(self, connection_id: ConnectionId) -> ChannelConnection | None:
        return self._memory.connections.get(connection_id)

    async def list(
        self, *, instance_id: InstanceId | None = None, channel: ChannelName | None = None
    ) -> tuple[ChannelConnection, ...]:
        found = [
            connection
            for connection in self._memory.connections.values()
            if instance_id in {None, connection.instance_id} and channel in {None, connection.channel}
        ]
        return tuple(sorted(found, key=lambda connection: (connection.created_at, connection.id)))

    async def add(self, connection: ChannelConnection, *, audit: AuditEntry | None = None) -> ChannelConnection:
        instance = self._memory.instances.find(connection.instance_id)
        if instance is None:
            raise UnknownInstanceError(connection.slug)
        await self._check_unique(connection)
        self._memory.append_audit(audit)
        return self._put(msgspec.structs.replace(connection, slug=instance.slug, version=0, problems=()))

    async def save(self, connection: ChannelConnection, *, audit: AuditEntry | None = None) -> ChannelConnection:
        stored = await self._stored(connection.id, connection.version)
        kept = {name: getattr(stored, name) for name in _IMMUTABLE}
        kept["account"] = account_to_save(connection, stored)
        changed = msgspec.structs.replace(connection, **kept)
        await self._check_unique(changed)
        self._memory.append_audit(audit)
        return self._put(changed)

    async def delete(
        self, connection_id: ConnectionId, *, version: int | None = None, audit: AuditEntry | None = None
    ) -> None:
        await self._stored(connection_id, version)
        self._memory.append_audit(audit)
        del self._memory.connections[connection_id]

    async def set_problem(
        self, connection_id: ConnectionId, kind: ProblemKind, reason: str | None, *, at: datetime
    ) -> None:
        stored = await self.get(connection_id)
        if stored is not None:
            problems = with_problem(stored.problems, kind, reason, at=at)
            self._memory.connections[connection_id] = msgspec.structs.replace(stored, problems=problems)

    async def _stored(self, connection_id: ConnectionId, version: int | None) -> ChannelConnection:
        stored = await self.get(connection_id)
        if stored is None:
            raise UnknownConnectionError
        if version not in {None, stored.version}:
            raise ConnectionChangedError
        return stored

    async def _check_unique(self, connection: ChannelConnection) -> None:
        for other in await self.list(channel=connection.channel):
            if connection.id == other.id:
                continue
            if connection.account == other.account:
                raise ConnectionExistsError(connection.channel, same_account=True)
            if connection.instance_id == other.instance_id:
                raise ConnectionExistsError(connection.channel, same_account=False)

    def _put(self, connection: ChannelConnection) -> ChannelConnection:
        stored = msgspec.structs.replace(connection, version=connection.version + 1)
        self._memory.connections[stored.id] = stored
        return stored
