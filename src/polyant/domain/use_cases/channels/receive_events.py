"""Use case: store what a platform delivers, before it is acknowledged."""

import logging

import msgspec

from polyant.domain.channel_events import (
    EventKind,
    InboundBatch,
    InboundEvent,
    Peer,
    WebhookRefusedError,
    WebhookReply,
    WebhookRequest,
)
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channels import (
    BurstPolicy,
    ChannelConnection,
    ChannelName,
    ConnectionId,
    UnknownConnectionError,
)
from polyant.domain.conversations import LaneId
from polyant.domain.lane_work import ReceivedEvent
from polyant.domain.lanes import Lane, LaneKind
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.outbox import Outbox
from polyant.domain.use_cases.channels.channel_wake import ChannelWake
from polyant.domain.use_cases.channels.ingest_keys import IngestKeys
from polyant.domain.use_cases.channels.open_channel import OpenChannel
from polyant.domain.use_cases.channels.record_problems import RecordProblems

_logger = logging.getLogger(__name__)

EVENT = "event"
"""The role to which the ciphertexts of payloads are bound."""

QUIET_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 5.0
_KNOWN_SECONDS = 1.0
_MAX_KNOWN = 1_000
ALBUM_SECONDS = 0.6
"""The events of an album arrive within half a second."""
_MAX_ID_CHARACTERS = 512
_MAX_POSITION = 2**63 - 1


class ReceiveEvents:
    """Verifies, stores and acknowledges events; it makes no call of a platform or model."""

    def __init__(
        self,
        *,
        connections: ChannelConnections,
        open_channel: OpenChannel,
        problems: RecordProblems,
        inbox: Inbox,
        outbox: Outbox,
        keys: IngestKeys,
        hashes: LookupHashes,
        wake: ChannelWake,
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._open_channel = open_channel
        self._problems = problems
        self._inbox = inbox
        self._outbox = outbox
        self._keys = keys
        self._hashes = hashes
        self._wake = wake
        self._clock = clock
        self._known: dict[ConnectionId, tuple[ChannelConnection, float]] = {}

    async def __call__(
        self, channel: ChannelName, connection_id: ConnectionId, request: WebhookRequest
    ) -> WebhookReply:
        """Returns the response to a webhook's request; its events are stored.

        Raises:
            UnknownConnectionError: No active connection of the channel has that id.
            WebhookRefusedError: The request isn't the platform's, or it is malformed.
            UnavailableError: The store is unavailable or a credential unreadable; nothing may be acknowledged.
        """
        connection = await self._connection(connection_id)
        if connection.channel != channel or not connection.is_active:
            raise UnknownConnectionError
        batch = await self._batch(connection, request)
        await self.store(connection, batch)
        await self._problems.ended(connection, ProblemKind.WEBHOOK_REFUSED)
        return batch.reply

    async def _batch(self, connection: ChannelConnection, request: WebhookRequest) -> InboundBatch:
        """Returns the events of a request; a refusal is recorded with the connection."""
        opened = await self._open_channel(connection)
        try:
            return opened.channel.receive(opened.account, request)
        except WebhookRefusedError as error:
            await self._problems.began(connection, ProblemKind.WEBHOOK_REFUSED, error.reason)
            raise

    async def store(self, connection: ChannelConnection, batch: InboundBatch) -> int:
        """Stores the events of a batch, and returns how many are new.

        Events with an id or a position that no store can keep are logged and ignored: platforms would deliver them
        again and again, and hold up the others.

        Raises:
            StorageUnavailableError: The store is unavailable; some events may be stored.
        """
        events = []
        for event in batch.events:
            if not _is_storable(event):
                _logger.warning("An event of %s is ignored: its id or its position is invalid", connection.channel)
            elif event.kind is EventKind.STATUS:
                await self._note_status(connection, event)
            else:
                events.append(await self._received(connection, event))
        if not events:
            return 0
        new = sum(await self._inbox.receive(events))
        self._wake()
        return new

    async def _connection(self, connection_id: ConnectionId) -> ChannelConnection:
        """Returns the connection as it was at most a second ago: reading it takes longer than storing an event."""
        now = self._clock.monotonic()
        known = self._known.get(connection_id)
        if known is not None and now < known[1]:
            return known[0]
        self._known.pop(connection_id, None)
        connection = await self._connections.get(connection_id)
        if connection is None:
            raise UnknownConnectionError
        while len(self._known) >= _MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[connection_id] = connection, now + _KNOWN_SECONDS
        return connection

    async def _note_status(self, connection: ChannelConnection, event: InboundEvent) -> None:
        if event.status is not None:
            await self._outbox.note_status(
                channel=connection.channel,
                account=connection.account,
                platform_id=event.status.platform_id,
                status=event.status.status,
                error=event.status.code,
            )

    async def _received(self, connection: ChannelConnection, event: InboundEvent) -> ReceivedEvent:
        user = await self._hashes.user(connection.instance_id, connection.channel, event.user.id)
        quiet, longest = _waits(connection, event)
        payload = msgspec.json.encode(event).decode()
        return ReceivedEvent(
            lane=await self._lane(connection, event, user),
            event_id=event.id,
            payload=await self._keys.encrypt(payload, EVENT),
            position=event.position,
            user=user,
            quiet=quiet,
            longest_wait=longest,
        )

    async def _lane(self, connection: ChannelConnection, event: InboundEvent, user: str) -> Lane:
        return Lane(
            id=await lane_id_of(self._hashes, connection, event.peer),
            kind=LaneKind.CHANNEL,
            instance=connection.instance_id,
            channel=connection.channel,
            account=connection.account,
            user=user if event.private else None,
        )


def _is_storable(event: InboundEvent) -> bool:
    ids = (event.id, event.status.platform_id if event.status is not None else "")
    has_valid_ids = all("\0" not in each and len(each) <= _MAX_ID_CHARACTERS for each in ids)
    return bool(event.id) and has_valid_ids and abs(event.position) <= _MAX_POSITION


async def lane_id_of(hashes: LookupHashes, connection: ChannelConnection, peer: Peer) -> LaneId:
    """Returns the id of the lane of a peer."""
    address = (connection.account, peer.chat) if peer.thread is None else (connection.account, peer.chat, peer.thread)
    return await hashes.lane(connection.instance_id, connection.channel, *address)


def _waits(connection: ChannelConnection, event: InboundEvent) -> tuple[float, float]:
    """Returns how long the lane waits for silence, and how long at most."""
    if connection.burst is BurstPolicy.COALESCE and event.command is None:
        return QUIET_SECONDS, LONGEST_WAIT_SECONDS
    return (ALBUM_SECONDS, LONGEST_WAIT_SECONDS) if event.group is not None else (0.0, 0.0)
