"""Use case: store the end of events, with the chunks to send."""

import logging
from collections.abc import Sequence

import msgspec

from polyant.domain.channel_events import InboundEvent, Peer
from polyant.domain.channel_metrics import ChannelMetrics, NoChannelMetrics
from polyant.domain.channel_sends import Chunk
from polyant.domain.conversations import Message, TurnId
from polyant.domain.injectables import LeaseSeconds
from polyant.domain.lane_work import Delivery, EventId, EventState, LaneWork, StoredEvent, TurnResult
from polyant.domain.limits import RateLimit
from polyant.domain.open_conversation import OpenConversation
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.rate_limiter import RateLimiter
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.use_cases.channels.ingest_keys import IngestKeys
from polyant.domain.use_cases.channels.notices import Notice, notice_text
from polyant.domain.use_cases.channels.run_channel_turn import TurnInterruptedError
from polyant.domain.use_cases.channels.send_deliveries import CHUNK

_logger = logging.getLogger(__name__)

APOLOGY_LIMIT = RateLimit(1, 60)


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """The end of events."""

    events: tuple[StoredEvent, ...]
    state: EventState
    event: InboundEvent | None = None
    """The event that the chunks answer; None if there are none."""
    texts: tuple[str, ...] = ()
    error: str | None = None
    conversation: OpenConversation | None = None
    messages: tuple[Message, ...] = ()
    draft: str | None = None
    """The message on the platform that the first text takes the place of."""
    unless_woken: bool = False


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """Events ended; these chunks are to be sent now."""

    deliveries: tuple[Delivery, ...] = ()
    untried: tuple[EventId, ...] = ()
    """The loaded events that are still open and weren't tried."""
    moved_to: Peer | None = None
    """The new peer of the lane, if its chat has a new id."""


class Postponed(msgspec.Struct, frozen=True, kw_only=True):
    """The events are still open, and are to be tried again after a delay."""

    delay: float = 0.0
    untried: tuple[EventId, ...] = ()
    """The events for which this doesn't count as an attempt."""
    deliveries: tuple[Delivery, ...] = ()
    """A notice to send now."""


class EndEvents:
    """Ends events, and tells users about it as rarely as is useful."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        keys: IngestKeys,
        limiter: RateLimiter,
        tokens: TokenSource,
        lease_seconds: LeaseSeconds,
        metrics: ChannelMetrics | None = None,
    ) -> None:
        self._inbox = inbox
        self._keys = keys
        self._limiter = limiter
        self._tokens = tokens
        self._lease_seconds = lease_seconds
        self._metrics = metrics or NoChannelMetrics()

    async def __call__(self, work: LaneWork, ending: Ending) -> Answered:
        """Stores the end of some of the work's events.

        Raises:
            TurnInterruptedError: The lane was woken, which makes the result void.
            LeaseLostError: The lease is lost; nothing is stored.
            StorageUnavailableError: The store is unavailable.
        """
        result = TurnResult(
            turn=self._turn_id(ending),
            events=tuple(each.id for each in ending.events),
            state=ending.state,
            error=ending.error,
            conversation=None if ending.conversation is None else ending.conversation.id,
            messages=ending.messages,
            chunks=await self._chunks(ending),
            unless_woken=ending.unless_woken,
        )
        deliveries = await self._inbox.finish(work.lease, result, seconds=self._lease_seconds)
        if deliveries is None:
            raise TurnInterruptedError
        if ending.state is not EventState.OPEN:
            channel, number = work.lease.lane.channel, len(ending.events)
            self._metrics.ended(channel=channel, outcome=ending.state.value, number=number)
        return Answered(deliveries=deliveries, untried=rest_of(work, ending.events))

    async def bury(self, work: LaneWork, ending: Ending) -> Answered:
        """Makes dead letters of the events, with an apology, at most one a minute in each conversation."""
        event, texts, lane = ending.event, ending.texts, work.lease.lane
        if event is not None and await self._passes(f"apology/{lane.instance}/{lane.id}", APOLOGY_LIMIT):
            texts = (notice_text(Notice.APOLOGY, event.user.language),)
        _logger.warning("%d message(s) of %s became dead letters: %s", len(ending.events), lane.channel, ending.error)
        return await self(work, msgspec.structs.replace(ending, state=EventState.DEAD, texts=texts))

    async def passes(self, purpose: str, event: StoredEvent, limit: RateLimit) -> bool:
        """Counts one use of a limit by the event's user, and returns whether it passes."""
        return await self._passes(f"{purpose}/{event.instance}/{event.user or event.lane}", limit)

    async def _passes(self, key: str, limit: RateLimit) -> bool:
        return (await self._limiter.hit(f"channel/{key}", limit)).allowed

    def _turn_id(self, ending: Ending) -> TurnId:
        if ending.state in {EventState.OPEN, EventState.DEAD}:  # the events may get a turn later
            return TurnId(self._tokens.turn_id())
        return turn_id_of(ending.events[0])

    async def _chunks(self, ending: Ending) -> tuple[str, ...]:
        event = ending.event
        if event is None:
            return ()
        reply_to = None if event.private else event.message_id or None
        # The draft is stored with the chunk, so that later attempts replace it as well.
        drafts = (ending.draft, *(None for _ in ending.texts))
        chunks = [
            Chunk(peer=event.peer, text=text, reply_to=reply_to, replaces=draft)
            for text, draft in zip(ending.texts, drafts, strict=False)
        ]
        return tuple([await self._keys.encrypt(msgspec.json.encode(chunk).decode(), CHUNK) for chunk in chunks])


def turn_id_of(event: StoredEvent) -> TurnId:
    """Returns the id of the turn that answers an event first; numbers alone may be used again after a clean-up."""
    return TurnId(f"{event.id:x}-{event.received_at.timestamp() * 1_000_000:.0f}")


def rest_of(work: LaneWork, tried: Sequence[StoredEvent]) -> tuple[EventId, ...]:
    """Returns the work's other events."""
    ids = {event.id for event in tried}
    return tuple(event.id for event in work.events if event.id not in ids)
