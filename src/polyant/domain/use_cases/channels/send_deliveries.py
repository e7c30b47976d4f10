"""Use case: send the chunks of a lane, in order, and record what became of each."""

import logging
from collections.abc import Sequence

import msgspec

from polyant.domain.channel_events import Peer
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channel_sends import Ambiguous, Chunk, Moved, NotSent, Refused, Sent
from polyant.domain.channels import AmbiguousSends, ChannelAccount, ChannelConnection
from polyant.domain.errors import SecretUnreadableError, StorageUnavailableError
from polyant.domain.injectables import LeaseSeconds
from polyant.domain.lane_work import Delivery, DeliveryState, SendResult
from polyant.domain.lanes import Lease
from polyant.domain.ports.channel import Channel
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.outbox import Outbox
from polyant.domain.use_cases.channels.ingest_keys import IngestKeys
from polyant.domain.use_cases.channels.record_problems import RecordProblems

_logger = logging.getLogger(__name__)

CHUNK = "chunk"
"""The role to which the ciphertexts of chunks are bound."""

MAX_ATTEMPTS = 20
_AMBIGUOUS_SECONDS = 2.0
_OUTAGE_SECONDS = 0.5
"""Shorter than a worker's poll, so that an outcome is on record before another process takes over an expired lane."""


class SendEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How sending ended."""

    delay: float | None = None
    """The seconds after which to send the rest; None if nothing is left."""
    moved_to: Peer | None = None
    """The new peer, if the chat has a new id."""


class SendDeliveries:
    """Sends chunks; each attempt is on record before the platform is called."""

    def __init__(
        self, *, outbox: Outbox, keys: IngestKeys, problems: RecordProblems, lease_seconds: LeaseSeconds, clock: Clock
    ) -> None:
        self._outbox = outbox
        self._keys = keys
        self._problems = problems
        self._lease_seconds = lease_seconds
        self._clock = clock

    async def __call__(
        self,
        lease: Lease,
        deliveries: Sequence[Delivery],
        channel: Channel,
        account: ChannelAccount,
        *,
        fresh: bool = False,
    ) -> SendEnd:
        """Sends open deliveries until one has to wait.

        Args:
            lease: The lease of their lane.
            deliveries: The deliveries, in their order.
            channel: The adapter.
            account: The account that sends.
            fresh: Whether the first delivery was just marked as being sent; otherwise, one that is marked may have
                arrived.

        Raises:
            LeaseLostError: The lease is lost; another process sends the rest.
            StorageUnavailableError: The store is unavailable; the rest isn't sent. The outcomes of calls are stored.
        """
        moved_to: Peer | None = None
        for number, delivery in enumerate(deliveries):
            is_new = fresh and number == 0
            if not is_new and not await self._may_send(lease, delivery, account):
                continue
            chunk = await self._chunk(delivery)
            if chunk is None:
                continue
            outcome = await channel.send(account, _to(chunk, moved_to))
            if isinstance(outcome, Moved):
                moved_to = outcome.peer
                outcome = await channel.send(account, _to(chunk, moved_to))
            delay = await self._record(delivery, outcome)
            await self._note_credentials(account.connection, outcome)
            if delay is not None:
                return SendEnd(delay=delay, moved_to=moved_to)
        return SendEnd(moved_to=moved_to)

    async def _may_send(self, lease: Lease, delivery: Delivery, account: ChannelAccount) -> bool:
        """Records the attempt, and returns whether to send."""
        is_ambiguous = delivery.state is DeliveryState.SENDING
        if is_ambiguous and account.connection.ambiguous_sends is AmbiguousSends.HOLD:
            await self._outbox.record(delivery.id, SendResult(state=DeliveryState.UNKNOWN, error="not confirmed"))
            return False
        if delivery.attempts >= MAX_ATTEMPTS:
            await self._outbox.record(delivery.id, SendResult(state=DeliveryState.FAILED, error="too many attempts"))
            return False
        return await self._outbox.start(lease, delivery.id, seconds=self._lease_seconds, ambiguous=is_ambiguous)

    async def _chunk(self, delivery: Delivery) -> Chunk | None:
        try:
            text = await self._keys.decrypt(delivery.text or "", CHUNK)
        except SecretUnreadableError:
            await self._outbox.record(delivery.id, SendResult(state=DeliveryState.FAILED, error="unreadable"))
            return None
        return msgspec.json.decode(text, type=Chunk)

    async def _record(self, delivery: Delivery, outcome: object) -> float | None:
        """Stores the outcome, and returns the delay after which to go on, or None to go on now."""
        match outcome:
            case Sent(platform_id):
                await self._store(delivery, SendResult(state=DeliveryState.SENT, platform_id=platform_id))
            case NotSent(retry_after):
                await self._store(delivery, SendResult(state=DeliveryState.QUEUED, error="not sent"))
                return max(retry_after, 0.1)
            case Refused(code):
                await self._store(delivery, SendResult(state=DeliveryState.FAILED, error=code))
            case Ambiguous(reason):  # the record stays at `sending`, which the next load treats by the policy
                _logger.info("It is unknown whether a message arrived: %s", reason)
                return _AMBIGUOUS_SECONDS
            case _:  # the chat moved twice
                await self._store(delivery, SendResult(state=DeliveryState.FAILED, error="moved"))
        return None

    async def _store(self, delivery: Delivery, result: SendResult) -> None:
        """Stores an outcome, as soon as the store is available: without it, the chunk would be sent again."""
        while True:
            try:
                await self._outbox.record(delivery.id, result)
            except StorageUnavailableError:
                await self._clock.sleep(_OUTAGE_SECONDS)
            else:
                return

    async def _note_credentials(self, connection: ChannelConnection, outcome: object) -> None:
        match outcome:
            case Refused(code, credentials=True):
                reason = f"the platform refuses the credentials ({code})"
                await self._problems.began(connection, ProblemKind.SENDS_REFUSED, reason)
            case Sent():
                await self._problems.ended(connection, ProblemKind.SENDS_REFUSED)


def _to(chunk: Chunk, peer: Peer | None) -> Chunk:
    return chunk if peer is None else msgspec.structs.replace(chunk, peer=peer)
