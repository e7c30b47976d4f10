"""The rig and the rows that the contracts of the conversation store's ports share."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

import pytest

from polyant.domain.conversations import Conversation, ConversationId, LaneId, Message, MessageId, MessageRole, TurnId
from polyant.domain.instances import InstanceId
from polyant.domain.lane_work import Delivery, EventId, LaneWork, ReceivedEvent, TurnResult
from polyant.domain.lanes import Lane, LaneKind, Lease
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance
from polyant.domain.ports.conversation_repo import ConversationRepo
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.lanes import Lanes
from polyant.domain.ports.outbox import Outbox
from polyant.testing.contract import Contract
from polyant.testing.manual_clock import START, ManualClock

BOT = InstanceId("b" * 32)
OTHER_BOT = InstanceId("c" * 32)
LEASE = 1_000.0
"""The seconds of a lease that doesn't expire unless a test advances the time."""


class ConversationStoreRig(Protocol):
    """The five ports around one empty store, and control over its time."""

    conversations: ConversationRepo
    maintenance: ConversationMaintenance
    lanes: Lanes
    inbox: Inbox
    outbox: Outbox

    async def advance(self, seconds: float) -> None:
        """Returns once the store's time has advanced by at least that many seconds, and not much more.

        A store that reads its own clock may instead move its rows into the past, or shorten waits.
        """


class ClockedConversationStoreRig(ConversationStoreRig):
    """The rig of a store that reads a clock of the test.

    Args:
        clock: The clock of the adapters.
        conversations: One adapter of each port, all around one empty store.
        maintenance: See `conversations`.
        lanes: See `conversations`.
        inbox: See `conversations`.
        outbox: See `conversations`.
    """

    def __init__(
        self,
        clock: ManualClock,
        *,
        conversations: ConversationRepo,
        maintenance: ConversationMaintenance,
        lanes: Lanes,
        inbox: Inbox,
        outbox: Outbox,
    ) -> None:
        self._clock = clock
        self.conversations = conversations
        self.maintenance = maintenance
        self.lanes = lanes
        self.inbox = inbox
        self.outbox = outbox

    async def advance(self, seconds: float) -> None:
        self._clock.advance(seconds)


class ConversationStoreContract(Contract):
    """The base of the contracts of the store's ports; subclasses provide the rig."""

    @pytest.fixture
    def rig(self) -> ConversationStoreRig:
        raise NotImplementedError("return a ConversationStoreRig around an empty store")


class ConversationStoreOutageContract(Contract):
    """The base of the contracts of a store that is unavailable; subclasses provide the rig."""

    @pytest.fixture
    def unavailable(self) -> ConversationStoreRig:
        raise NotImplementedError("return a ConversationStoreRig whose store is unavailable")


def lane_of(name: str = "lane-1", **fields: Any) -> Lane:
    """Returns a lane of the kind `channel` with those fields."""
    given = {"kind": LaneKind.CHANNEL, "instance": BOT, "channel": "fake", "account": "acc"}
    return Lane(id=LaneId(name), **{**given, **fields})


def api_lane(name: str = "lane-1", **fields: Any) -> Lane:
    """Returns a lane of /v1 with those fields."""
    return lane_of(name, **{"kind": LaneKind.API, "channel": "api", "account": "", **fields})


def lease_of(lane: Lane | None = None) -> Lease:
    """Returns a lease that no store has given."""
    return Lease(lane=lane or lane_of(), owner="worker-1", epoch=1, wake=0)


def conversation_of(name: str = "conversation-1", lane: str = "lane-1", **fields: Any) -> Conversation:
    """Returns a conversation of /v1 with those fields."""
    given = {
        "instance": BOT,
        "lane": LaneId(lane),
        "channel": "api",
        "data_key": f"wrapped key of {name}",
        "wrapped_by": "master-1",
        "created_at": START,
        "updated_at": START,
    }
    return Conversation(id=ConversationId(name), **{**given, **fields})


def user_message(name: str = "m-1", **fields: Any) -> Message:
    """Returns a message of a user with those fields."""
    given = {"role": MessageRole.USER, "text": f"ciphertext of {name}", "at": START, "turn": TurnId("turn-1")}
    return Message(id=MessageId(name), **{**given, **fields})


def assistant_message(name: str = "a-1", **fields: Any) -> Message:
    """Returns an answer with those fields."""
    return user_message(name, **{"role": MessageRole.ASSISTANT, **fields})


def full_message(name: str, **fields: Any) -> Message:
    """Returns a message that has a value in every field, some of them hard to store."""
    given = {
        "text": "x" * 70_000 + "é🙂'",
        "at": START + timedelta(days=1, microseconds=1),
        "tokens": 2**40,
        "digest": "digest",
        "platform_id": "p-1",
        "sender": "hash",
        "tools": ("current_time", 'a,b "c"'),
        "finish_reason": "stop",
    }
    return user_message(name, **{**given, **fields})


def messages_of(count: int, **fields: Any) -> list[Message]:
    """Returns messages of users, each a second later than the one before."""
    return [
        user_message(f"m-{number}", at=START + timedelta(seconds=number), **fields) for number in range(1, count + 1)
    ]


def event_of(name: str = "e-1", lane: Lane | None = None, **fields: Any) -> ReceivedEvent:
    """Returns an event with those fields."""
    return ReceivedEvent(lane=lane or lane_of(), event_id=name, **{"payload": f"ciphertext of {name}", **fields})


async def message_ids(
    rig: ConversationStoreRig, conversation: str = "conversation-1", *, newest: int | None = None
) -> list[str]:
    """Returns the ids of a conversation's newest messages, oldest first; with None, those of all messages."""
    history = await rig.conversations.show(ConversationId(conversation), newest=newest)
    return [message.id for message in history.messages]


async def claimed(rig: ConversationStoreRig, owner: str = "worker-1", seconds: float = LEASE) -> Lease:
    """Returns the lease of the lane that is due."""
    lease = await rig.lanes.claim(owner=owner, seconds=seconds)
    assert lease is not None
    return lease


async def loaded(
    rig: ConversationStoreRig, *events: ReceivedEvent, limit: int = 20, seconds: float = LEASE
) -> LaneWork:
    """Stores the events, claims their lane, and returns its work."""
    await rig.inbox.receive(events or [event_of()])
    return await rig.inbox.load(await claimed(rig, seconds=seconds), limit=limit)


def ids_of(work: LaneWork) -> tuple[EventId, ...]:
    """Returns the ids of the events to answer."""
    return tuple(event.id for event in work.events)


def names_of(work: LaneWork) -> list[str]:
    """Returns the platform's ids of the events to answer."""
    return [event.event_id for event in work.events]


def result_of(work: LaneWork, *chunks: str, **fields: Any) -> TurnResult:
    """Returns the result of a turn that answered the work's events."""
    return TurnResult(**{"turn": TurnId("turn-1"), "events": ids_of(work), "chunks": chunks, **fields})


async def finished(rig: ConversationStoreRig, work: LaneWork, *chunks: str, **fields: Any) -> Sequence[Delivery]:
    """Stores the result of a turn, and returns its deliveries."""
    deliveries = await rig.inbox.finish(work.lease, result_of(work, *chunks, **fields), seconds=LEASE)
    assert deliveries is not None
    return deliveries


async def leased_and_released(rig: ConversationStoreRig) -> None:
    """Leases the lane `lane-1` of /v1 twice, and releases it."""
    for _ in range(2):
        lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
        assert lease is not None
        await rig.lanes.release(lease)


async def is_new_lane(rig: ConversationStoreRig) -> bool:
    """Returns whether the lane `lane-1` is unknown, by leasing it."""
    lease = await rig.lanes.acquire(api_lane(), owner="worker-1", seconds=LEASE)
    return lease is not None and (lease.epoch, lease.wake) == (1, 0)
