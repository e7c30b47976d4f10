"""Use case: record the problems of a connection, and their ends."""

import asyncio
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

    A failure is written at most every 10 s for each connection and kind: the latest one of that time is written at its
    end, unless a success follows it. A success is written only if a problem is recorded. An outage of the store is no
    error: the next failure or success is written.
    """

    def __init__(self, *, connections: ChannelConnections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock
        self._written: dict[tuple[ConnectionId, ProblemKind], float] = {}
        """When the next failure may be written."""
        self._later: dict[tuple[ConnectionId, ProblemKind], tuple[str, datetime]] = {}
        """The reason and the time of failures that wait until they may be written."""
        self._waiting: dict[tuple[ConnectionId, ProblemKind], asyncio.Task[None]] = {}
        self._ended: dict[tuple[ConnectionId, ProblemKind], datetime] = {}
        """The beginnings of the problems that this process ended: connections that were read before still show them."""

    async def began(self, connection: ChannelConnection, kind: ProblemKind, reason: str) -> None:
        """Records a failure.

        Args:
            connection: The connection as it was read; a failure that it shows already isn't written again.
            kind: The kind of failure.
            reason: The reason for operators; nothing that a stranger sent.
        """
        now, key = self._clock.monotonic(), (connection.id, kind)
        if any(problem.kind is kind and problem.reason == reason for problem in connection.problems):
            self._later.pop(key, None)
            return
        due = self._written.get(key, now)
        if now >= due:
            await self._write_failure(connection, kind, reason, self._clock.now())
            return
        self._later[key] = reason, self._clock.now()
        if key not in self._waiting:
            self._waiting[key] = asyncio.create_task(self._write_later(connection, kind, due - now))

    async def _write_later(self, connection: ChannelConnection, kind: ProblemKind, seconds: float) -> None:
        key = (connection.id, kind)
        try:
            await self._clock.sleep(seconds)
        finally:
            del self._waiting[key]
        if key in self._later:
            await self._write_failure(connection, kind, *self._later.pop(key))

    async def _write_failure(self, connection: ChannelConnection, kind: ProblemKind, reason: str, at: datetime) -> None:
        key = (connection.id, kind)
        self._later.pop(key, None)
        _make_room(self._written)
        self._written[key] = self._clock.monotonic() + _WRITE_SECONDS
        await self._write(connection, kind, reason, at=at)

    async def ended(self, connection: ChannelConnection, *kinds: ProblemKind) -> None:
        """Records a success, which ends the problems of these kinds that the connection shows."""
        if self._later:
            for kind in kinds:
                self._later.pop((connection.id, kind), None)
        for problem in connection.problems:
            key = (connection.id, problem.kind)
            if problem.kind not in kinds or self._ended.get(key) == problem.since:
                continue
            if await self._write(connection, problem.kind, None, at=self._clock.now()):
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

    async def _write(
        self, connection: ChannelConnection, kind: ProblemKind, reason: str | None, *, at: datetime
    ) -> bool:
        """Writes to the store, and returns whether that worked."""
        try:
            await self._connections.set_problem(connection.id, kind, reason, at=at)
        except StorageUnavailableError:
            _logger.debug("The database doesn't respond: a problem of %s isn't recorded", connection.channel)
            return False
        return True


def _make_room(known: MutableMapping[Any, Any]) -> None:
    while len(known) >= _MAX_KNOWN:
        del known[next(iter(known))]
