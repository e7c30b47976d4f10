"""Pulls the events of accounts that have no webhook; each account has one owner among all processes."""

import asyncio
import contextlib
import logging
from contextlib import AsyncExitStack

from polyant.domain.channel_info import ChannelRefusedError, ChannelUnreachableError, PullConflictError
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channels import ChannelConnection, ConnectionId, Delivery, UnknownConnectionError
from polyant.domain.errors import LeaseLostError, PolyantError, StorageUnavailableError
from polyant.domain.injectables import ProcessName
from polyant.domain.lanes import Lane, LaneKind, Lease
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.ports.channel import EventSource
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.lanes import Lanes
from polyant.domain.use_cases.channels.open_channel import OpenChannel
from polyant.domain.use_cases.channels.receive_events import ReceiveEvents
from polyant.domain.use_cases.channels.record_problems import RecordProblems

_logger = logging.getLogger(__name__)

_LEASE_SECONDS = 30.0
_RECEIVE_SECONDS = 15.0
"""Shorter than the lease, so that it is renewed in time."""
_PROBLEMS = (
    ProblemKind.UNUSABLE,
    ProblemKind.PULL_REFUSED,
    ProblemKind.POLLED_ELSEWHERE,
    ProblemKind.UNREACHABLE,
)
"""The problems that a pulled batch ends."""
_LIST_SECONDS = 5.0
_FAILURE_SECONDS = 5.0


class PullAccounts:
    """Owns as many pulled accounts as it gets leases for."""

    def __init__(
        self,
        *,
        connections: ChannelConnections,
        open_channel: OpenChannel,
        receive: ReceiveEvents,
        problems: RecordProblems,
        lanes: Lanes,
        hashes: LookupHashes,
        clock: Clock,
        owner: ProcessName,
    ) -> None:
        self._connections = connections
        self._open_channel = open_channel
        self._receive = receive
        self._problems = problems
        self._lanes = lanes
        self._hashes = hashes
        self._clock = clock
        self._owner = owner
        self._tasks: dict[ConnectionId, tuple[int, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Pulls until it is cancelled; then releases the accounts."""
        try:
            while True:
                with contextlib.suppress(StorageUnavailableError):
                    await self._adjust()
                await self._clock.sleep(_LIST_SECONDS)
        finally:
            await self._stop([*self._tasks])

    async def _adjust(self) -> None:
        """Starts pulling new accounts, and stops for those that changed or are gone."""
        wanted = {each.id: each for each in await self._connections.list() if _is_pulled(each)}
        known = {key: version for key, (version, task) in self._tasks.items() if not task.done()}
        await self._stop([key for key in self._tasks if key not in wanted or known.get(key) != wanted[key].version])
        for key, connection in wanted.items():
            if key not in self._tasks:
                self._tasks[key] = connection.version, asyncio.create_task(self._own(connection))

    async def _stop(self, keys: list[ConnectionId]) -> None:
        stopped = [self._tasks.pop(key)[1] for key in keys]
        for task in stopped:
            task.cancel()
        await asyncio.gather(*stopped, return_exceptions=True)

    async def _own(self, connection: ChannelConnection) -> None:
        """Waits for the account's lease, then pulls."""
        lane = Lane(
            id=await self._hashes.lane(connection.instance_id, "account", connection.channel, connection.account),
            kind=LaneKind.ACCOUNT,
            instance=connection.instance_id,
            channel=connection.channel,
            account=connection.account,
        )
        while True:
            pause = _LIST_SECONDS
            try:
                lease = await self._lanes.acquire(lane, owner=self._owner, seconds=_LEASE_SECONDS)
                if lease is not None:
                    pause = await self._hold(connection, lease)
            except (StorageUnavailableError, LeaseLostError):
                _logger.info("The account of %s waits for the database or another process", connection.channel)
            except UnknownConnectionError:
                return
            await self._clock.sleep(pause)

    async def _hold(self, connection: ChannelConnection, lease: Lease) -> float:
        """Pulls until something fails; returns the seconds to wait then."""
        try:
            opened = await self._open_channel(connection)
            async with AsyncExitStack() as stack:
                source = await stack.enter_async_context(opened.channel.pull(opened.account))
                await self._receive_batch(connection, lease, source)
                await self._problems.worked(connection.id, *_PROBLEMS)
                while True:
                    await self._receive_batch(connection, lease, source)
        except (LeaseLostError, StorageUnavailableError, UnknownConnectionError):
            raise
        except PolyantError as error:
            _logger.warning("The events of %s can't be pulled: %s", _about(connection), error.explanation)
            await self._problems.began(connection, _kind_of(error), error.explanation)
            return float(error.retry_after or _FAILURE_SECONDS)
        except Exception:
            _logger.exception("The events of %s can't be pulled", _about(connection))
            return _FAILURE_SECONDS
        finally:
            with contextlib.suppress(StorageUnavailableError):
                await asyncio.shield(self._lanes.release(lease))

    async def _receive_batch(self, connection: ChannelConnection, lease: Lease, source: EventSource) -> None:
        await self._lanes.renew(lease, seconds=_LEASE_SECONDS)
        batch = await source.receive(_RECEIVE_SECONDS)
        await self._receive.store(connection, batch)


def _is_pulled(connection: ChannelConnection) -> bool:
    return connection.is_active and connection.delivery is Delivery.PULL


def _about(connection: ChannelConnection) -> str:
    return f"{connection.channel} {connection.account_name or connection.account} of {connection.slug}"


def _kind_of(error: PolyantError) -> ProblemKind:
    match error:
        case PullConflictError():
            return ProblemKind.POLLED_ELSEWHERE
        case ChannelRefusedError():
            return ProblemKind.PULL_REFUSED
        case ChannelUnreachableError():
            return ProblemKind.UNREACHABLE
    return ProblemKind.UNUSABLE
