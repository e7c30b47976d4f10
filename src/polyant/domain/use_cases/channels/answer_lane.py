"""Use case: do the work of a lane that was claimed: send what is open, and answer what arrived."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

from polyant.domain.channel_events import Peer
from polyant.domain.channels import BurstPolicy, UnknownConnectionError
from polyant.domain.errors import LeaseLostError, PolyantError, StorageUnavailableError, UnknownInstanceError
from polyant.domain.injectables import LeaseSeconds
from polyant.domain.lane_work import Delivery, DeliveryState, EventId, EventState, LaneWork, SendResult, TurnResult
from polyant.domain.lanes import Lane, Lease
from polyant.domain.lookup_hashes import LookupHashes
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.lanes import Lanes
from polyant.domain.ports.outbox import Outbox
from polyant.domain.use_cases.channels.answer_events import AnswerEvents
from polyant.domain.use_cases.channels.end_events import Answered, Postponed, turn_id_of
from polyant.domain.use_cases.channels.lane_account import LaneAccount
from polyant.domain.use_cases.channels.open_channel import OpenChannel
from polyant.domain.use_cases.channels.receive_events import lane_id_of
from polyant.domain.use_cases.channels.send_deliveries import SendDeliveries

_logger = logging.getLogger(__name__)

_BATCH = 20
_PAUSED_SECONDS = 60.0
_INTERNAL_ERROR_SECONDS = 10.0
_OUTAGE_SECONDS = 1.0
_DELETED_SECONDS = 1.0
_MAX_OUTAGES = 20
_MAX_KNOWN = 1_000


class Claim:
    """A lease, and the events that were loaded but not tried yet."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.untried: tuple[EventId, ...] = ()


class AnswerLane:
    """Works on one lane until nothing is left or something has to wait; then releases it."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        outbox: Outbox,
        lanes: Lanes,
        open_channel: OpenChannel,
        answer: AnswerEvents,
        send: SendDeliveries,
        hashes: LookupHashes,
        clock: Clock,
        lease_seconds: LeaseSeconds,
    ) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._lanes = lanes
        self._open_channel = open_channel
        self._answer = answer
        self._send = send
        self._hashes = hashes
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._outages: Counter[EventId] = Counter()

    async def __call__(self, lease: Lease) -> None:
        """Does the work of the lane; errors of it are logged. When it is cancelled, it gives the lane back."""
        claim = Claim(lease)
        try:
            await self._work(claim)
        except LeaseLostError:
            _logger.info("Another process took over a lane of %s", lease.lane.channel)
        except StorageUnavailableError:
            _logger.warning("The database doesn't respond: a message of %s waits", lease.lane.channel)
            await self._wait_out(claim)
        except UnknownInstanceError:  # deleted meanwhile: the next attempt finds no connection, and discards the events
            await self._give_back(claim, delay=_DELETED_SECONDS)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(claim))
            raise
        except Exception:
            _logger.exception("A message of %s can't be answered", lease.lane.channel)
            claim.untried = ()  # this counts as an attempt, so that an event that always fails becomes a dead letter
            await self._give_back(claim, delay=_INTERNAL_ERROR_SECONDS)

    async def _wait_out(self, claim: Claim) -> None:
        """Gives the lane back once the store responds again; the outage doesn't count as an attempt.

        An event that seems to cause outages itself is an exception: after many of them, its attempts count.
        """
        uncounted = [event for event in claim.untried if self._outages[event] < _MAX_OUTAGES]
        if len(self._outages) > _MAX_KNOWN:
            self._outages.clear()
        self._outages.update(uncounted)
        while True:
            try:
                await self._lanes.release(
                    claim.lease, again=True, delay=_OUTAGE_SECONDS, uncounted=uncounted, uncounted_if_lost=True
                )
            except StorageUnavailableError:
                await self._clock.sleep(_OUTAGE_SECONDS)
            else:
                return

    async def _give_back(self, claim: Claim, delay: float = 0.0) -> None:
        try:
            await self._lanes.release(claim.lease, again=True, delay=delay, uncounted=claim.untried)
        except StorageUnavailableError:
            _logger.warning("The database doesn't respond: a message of %s waits", claim.lease.lane.channel)

    async def _work(self, claim: Claim) -> None:
        account = await self._account(claim)
        if account is None:
            return
        limit = 1 if account.connection.burst is BurstPolicy.ENQUEUE else _BATCH
        while True:
            work = await self._inbox.load(claim.lease, limit=limit)
            claim.lease, claim.untried = work.lease, tuple(event.id for event in work.events)
            if not work.deliveries and not work.events:
                await self._lanes.release(claim.lease)
                return
            if not await self._step(claim, work, account):
                return

    async def _account(self, claim: Claim) -> LaneAccount | None:
        """Returns the lane's account; if it can't be used now, releases the lane and returns None."""
        lane = claim.lease.lane
        try:
            connection = await self._open_channel.find(lane.channel, lane.account)
            if connection.instance_id != lane.instance:  # another instance has the account now
                await self._discard(claim)
                return None
            if not connection.is_active:
                await self._give_back(claim, delay=_PAUSED_SECONDS)
                return None
            return await self._open_channel(connection)
        except UnknownConnectionError:
            await self._discard(claim)
        except StorageUnavailableError:
            raise
        except PolyantError as error:
            _logger.warning("The channel %s can't be used: %s", lane.channel, error.explanation)
            await self._give_back(claim, delay=_PAUSED_SECONDS)
        return None

    async def _discard(self, claim: Claim) -> None:
        """Ends the work of an account that was disconnected."""
        while True:
            work = await self._inbox.load(claim.lease, limit=_BATCH)
            claim.lease = work.lease
            for delivery in work.deliveries:
                await self._outbox.record(delivery.id, SendResult(state=DeliveryState.FAILED, error="disconnected"))
            if work.events:
                result = TurnResult(
                    turn=turn_id_of(work.events[0]),
                    events=tuple(event.id for event in work.events),
                    state=EventState.IGNORED,
                    error="disconnected",
                )
                await self._inbox.finish(claim.lease, result, seconds=self._lease_seconds)
            elif not work.deliveries:
                await self._lanes.release(claim.lease)
                return

    async def _step(self, claim: Claim, work: LaneWork, account: LaneAccount) -> bool:
        """Does one part of the work; returns False once the lane is released."""
        if work.deliveries:
            return await self._deliver(claim, work.deliveries, account)
        outcome = await self._answer(work, account)
        claim.untried = outcome.untried
        if isinstance(outcome, Postponed):
            if outcome.deliveries and not await self._deliver(claim, outcome.deliveries, account, fresh=True):
                return False
            await self._give_back(claim, delay=outcome.delay)
            return False
        if outcome.deliveries and not await self._deliver(claim, outcome.deliveries, account, fresh=True):
            return False
        return await self._continue(claim, outcome, account)

    async def _continue(self, claim: Claim, outcome: Answered, account: LaneAccount) -> bool:
        if outcome.moved_to is not None:
            await self._move(claim, outcome.moved_to, account)
            return False
        if claim.untried:  # only a release can take back that their load was counted
            await self._give_back(claim)
            return False
        return True

    async def _deliver(
        self,
        claim: Claim,
        deliveries: Sequence[Delivery],
        account: LaneAccount,
        *,
        fresh: bool = False,
    ) -> bool:
        end = await self._send(claim.lease, deliveries, account.channel, account.account, fresh=fresh)
        if end.moved_to is not None:
            await self._move(claim, end.moved_to, account)
            return False
        if end.delay is not None:
            await self._give_back(claim, delay=end.delay)
            return False
        return True

    async def _move(self, claim: Claim, peer: Peer, account: LaneAccount) -> None:
        """Moves the lane to the new id of its chat, which ends the lease."""
        lane = claim.lease.lane
        target = Lane(
            id=await lane_id_of(self._hashes, account.connection, peer),
            kind=lane.kind,
            instance=lane.instance,
            channel=lane.channel,
            account=lane.account,
            user=lane.user,
        )
        await self._give_back(claim)
        await self._lanes.move(lane.id, target)
