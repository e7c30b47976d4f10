"""Port: storage of channel connections."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channels import ChannelConnection, ChannelName, ConnectionId
from polyant.domain.instances import InstanceId


@runtime_checkable
class ChannelConnections(Protocol):
    """Stores the connections of all instances.

    An `audit` entry is stored in the same transaction as the change it describes, and the AuditLog of the same store
    lists it. When the change is refused, neither is stored. Deleting an instance deletes its connections.

    Each method raises StorageUnavailableError when the store is unavailable. A completed write survives a crash.
    """

    @abstractmethod
    async def get(self, connection_id: ConnectionId) -> ChannelConnection | None:
        """Returns the connection with that id, or None if it doesn't exist."""

    @abstractmethod
    async def list(
        self, *, instance_id: InstanceId | None = None, channel: ChannelName | None = None
    ) -> tuple[ChannelConnection, ...]:
        """Returns the connections of the instance and the channel, or of all, ordered by creation time, then id."""

    @abstractmethod
    async def add(self, connection: ChannelConnection, *, audit: AuditEntry | None = None) -> ChannelConnection:
        """Stores a new connection without problems and returns it with version 1.

        Raises:
            ConnectionExistsError: The account belongs to another connection, or the instance has one for the channel.
                Of several concurrent calls, exactly one succeeds.
            UnknownInstanceError: The instance doesn't exist.
        """

    @abstractmethod
    async def save(self, connection: ChannelConnection, *, audit: AuditEntry | None = None) -> ChannelConnection:
        """Stores a changed connection and returns it with its version incremented.

        The stored id, channel, instance and creation time never change, and the problems stay. The account changes only
        if the stored connection or the given one has none.

        Raises:
            UnknownConnectionError: The connection no longer exists.
            ConnectionChangedError: The stored version differs from `connection.version`; nothing is stored. Of several
                concurrent calls, exactly one succeeds.
            ConnectionExistsError: The account belongs to another connection; nothing is stored.
        """

    @abstractmethod
    async def delete(
        self, connection_id: ConnectionId, *, version: int | None = None, audit: AuditEntry | None = None
    ) -> None:
        """Deletes the connection.

        Raises:
            UnknownConnectionError: The connection doesn't exist.
            ConnectionChangedError: The stored version differs from `version`; nothing is deleted.
        """

    @abstractmethod
    async def set_problem(
        self, connection_id: ConnectionId, kind: ProblemKind, reason: str | None, *, at: datetime
    ) -> None:
        """Records a problem of the connection, or its end if there is no reason; the version stays.

        A problem of a kind that is recorded already gets the new reason and keeps its beginning. Other kinds stay. An
        unknown connection is no error. Problems are listed in the order of ProblemKind.
        """
