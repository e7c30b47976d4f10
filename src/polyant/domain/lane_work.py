"""The work of lanes in the store: received events, the results of their turns, and deliveries; texts are ciphertext."""

import enum
from datetime import datetime
from typing import NewType

import msgspec

from polyant.domain.conversations import ConversationId, LaneId, Message, TurnId
from polyant.domain.instances import InstanceId
from polyant.domain.lanes import Lane, Lease

EventId = NewType("EventId", int)
"""The store's number of an event; later events of a lane have higher numbers."""

MAX_EVENT_DIGITS = 19
"""The maximum number of digits of an EventId, which databases store in 64 bits."""

DeliveryId = NewType("DeliveryId", int)
"""The store's number of a delivery."""


class ReceivedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event to store."""

    lane: Lane
    event_id: str
    """The platform's id of the event, unique within channel and account."""
    payload: str
    """The ciphertext of the event."""
    position: int = 0
    """The platform's order within a lane; 0 if it has none."""
    user: str | None = None
    """A keyed hash of the channel user who caused the event."""
    quiet: float = 0.0
    """The seconds of silence after which the lane is due, so that a burst becomes one turn."""
    longest_wait: float = 0.0
    """The maximum seconds between the first event of a burst and the lane being due."""


class EventState(enum.StrEnum):
    """The state of an event; every state but `open` is final."""

    OPEN = "open"
    ANSWERED = "answered"
    IGNORED = "ignored"
    LIMITED = "limited"
    DEAD = "dead"
    """The event failed for good; it keeps its payload, and can be replayed."""


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the store."""

    id: EventId
    lane: LaneId
    instance: InstanceId
    channel: str
    account: str
    event_id: str
    position: int = 0
    user: str | None = None
    state: EventState = EventState.OPEN
    payload: str | None
    """The ciphertext; None once the event is finished, unless it is dead."""
    attempts: int = 0
    """How often the event was loaded, without those loads that were given back."""
    error: str | None = None
    """Why the event is dead, ignored or limited."""
    received_at: datetime


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The events to list; each condition that is set must hold."""

    instance: InstanceId | None = None
    channel: str | None = None
    state: EventState | None = None
    event: EventId | None = None


class EventPage(msgspec.Struct, frozen=True):
    """A page of events, the latest received first, and the number of all that match."""

    events: tuple[StoredEvent, ...]
    total: int


class DeliveryState(enum.StrEnum):
    """The state of a chunk that is to be sent."""

    QUEUED = "queued"
    """Certainly not sent."""
    SENDING = "sending"
    """Sent or not: the outcome isn't known yet. A load that finds it has an ambiguous delivery."""
    SENT = "sent"
    FAILED = "failed"
    """The platform refused the chunk."""
    UNKNOWN = "unknown"
    """Nobody knows whether the chunk was sent, and the policy is not to send it again."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One chunk of an answer, in the order of its id within a lane."""

    id: DeliveryId
    lane: LaneId
    instance: InstanceId
    channel: str
    account: str
    conversation: ConversationId | None = None
    """The conversation whose data key encrypts the text; None if the ingest key does."""
    turn: TurnId
    chunk: int
    text: str | None
    """The ciphertext; None once it is sent."""
    state: DeliveryState = DeliveryState.QUEUED
    attempts: int = 0
    ambiguous: int = 0
    """How often the chunk was sent again although it may have arrived."""
    platform_id: str | None = None
    """The id of the sent message on the platform."""
    status: str | None = None
    """The platform's later report, such as `read`."""
    error: str | None = None
    created_at: datetime
    updated_at: datetime


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The deliveries to list; each condition that is set must hold."""

    instance: InstanceId | None = None
    channel: str | None = None
    state: DeliveryState | None = None
    ambiguous: bool | None = None
    """Whether the chunk was ever sent again although it may have arrived, or its state is unknown."""


class DeliveryPage(msgspec.Struct, frozen=True):
    """A page of deliveries, the latest created first, and the number of all that match."""

    deliveries: tuple[Delivery, ...]
    total: int


class LaneWork(msgspec.Struct, frozen=True, kw_only=True):
    """The work in a lane: deliveries to send, or if there are none, events to answer."""

    lease: Lease
    """The lease with the current value of `wake`."""
    deliveries: tuple[Delivery, ...] = ()
    """The open deliveries, in their order."""
    events: tuple[StoredEvent, ...] = ()
    """The first open events, in their order."""


class TurnResult(msgspec.Struct, frozen=True, kw_only=True):
    """The end of some events: their state, the messages of the turn, and the chunks to send."""

    turn: TurnId
    events: tuple[EventId, ...]
    state: EventState = EventState.ANSWERED
    """The state of the events afterwards; `open` leaves them as they are, to send a notice about a delay."""
    error: str | None = None
    conversation: ConversationId | None = None
    messages: tuple[Message, ...] = ()
    """The messages for the conversation, oldest first; requires a conversation."""
    chunks: tuple[str, ...] = ()
    """The ciphertexts to send, in their order."""
    unless_woken: bool = False
    """Whether to change nothing if the lane received an event after its work was loaded."""


class SendResult(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of an attempt to send a chunk."""

    state: DeliveryState
    """`sent`, `failed`, `unknown`, or `queued` if the chunk was certainly not sent and can be sent again."""
    platform_id: str | None = None
    error: str | None = None
