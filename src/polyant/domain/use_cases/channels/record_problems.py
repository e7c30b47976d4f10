"""Use case: record the problems of a connection, and their ends."""

import logging
from collections.abc import MutableMapping
from datetime import datetime
from typing import Any

from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channels import ChannelConnection, ConnectionId
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.clock import Clock

_logger = logging.getLogger(__name__)

_WRITE_SECONDS = 10.0
_MAX_KNOWN = 1_000


class RecordProblems:
    """Keeps the problems of connections up to date, however many calls fail or succeed.

    A failure is written at most every 10 s for each connection and kind, and a success only if a problem is recorded.
    An outage of the store is no error: the next failure or success is written.
    """

    def __init__(self, *, connections: ChannelConnections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock
        self._written: dict[tuple[ConnectionId, ProblemKind], float] = {}
        """When the next failure may be written."""
        self._ended: dict[tuple[ConnectionId, ProblemKind], datetime] = {}
        """The beginnings of the problems that this process ended: connections that were read before still show them."""

    async def began(self, connection: ChannelConnection, kind: ProblemKind, reason: str) -> None:
        """Records a failure.

        Args:
            connection: The connection as it was read; a failure that it shows already isn't written again.
            kind: The kind of failure.
            reason: The reason for operators; nothing that a stranger sent.
        """
        if any(problem.kind is kind and problem.reason == reason for problem in connection.problems):
            return
        now, key = self._clock.monotonic(), (connection.id, kind)
        if now < self._written.get(key, now):
            return
        _make_room(self._written)
        self._written[key] = now + _WRITE_SECONDS
        await self._write(connection, kind, reason)

    async def ended(self, connection: ChannelConnection, *kinds: ProblemKind) -> None:
        """Records a success, which ends the problems of these kinds that the connection shows."""
        for problem in connection.problems:
            key = (connection.id, problem.kind)
            if problem.kind not in kinds or self._ended.get(key) == problem.since:
                continue
            if await self._write(connection, problem.kind, None):
                _make_room(self._ended)
                self._ended[key] = problem.since

    async def worked(self, connection_id: ConnectionId, *kinds: ProblemKind) -> None:
        """Records a success for a connection that was read long ago."""
        try:
            connection = await self._connections.get(connection_id)
        except StorageUnavailableError:
            return
        if connection is not None:
            await self.ended(connection, *kinds)

    async def _write(self, connection: ChannelConnection, kind: ProblemKind, reason: str | None) -> bool:
        """Writes to the store, and returns whether that worked."""
        try:
            await self._connections.set_problem(connection.id, kind, reason, at=self._clock.now())
        except StorageUnavailableError:
            _logger.debug("The database doesn't respond: a problem of %s isn't recorded", connection.channel)
            return False
        return True


def _make_room(known: MutableMapping[Any, Any]) -> None:
    while len(known) >= _MAX_KNOWN:
        del known[next(iter(known))]
