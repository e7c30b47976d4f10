"""Events of channels in the store."""

from polyant.domain.conversations import LaneId, TurnId
from polyant.domain.lane_work import (
    DeliveryId,
    DeliveryState,
    EventId,
    EventState,
    LaneWork,
    ReceivedEvent,
    SendResult,
    TurnResult,
)
from polyant.domain.lanes import Lane, LaneKind
from polyant.domain.ports.outbox import Outbox
from support.management import ManagementHarness


async def dead_event(management: ManagementHarness) -> EventId:
    """Returns the number of an event of the connection that failed for good."""
    work = await _loaded(management)
    result = TurnResult(turn=TurnId("t"), events=(work.events[0].id,), state=EventState.DEAD, error="auth")
    await management.inbox.finish(work.lease, result, seconds=60)
    await management.lanes.release(work.lease)
    return work.events[0].id


async def doubtful_send(management: ManagementHarness) -> DeliveryId:
    """Returns the number of a part of an answer that was sent again although it may have arrived."""
    work = await _loaded(management)
    result = TurnResult(
        turn=TurnId("t"), events=(work.events[0].id,), state=EventState.ANSWERED, chunks=("ciphertext",)
    )
    deliveries = await management.inbox.finish(work.lease, result, seconds=60)
    assert deliveries is not None
    outbox = await management.get(Outbox)
    await outbox.start(work.lease, deliveries[0].id, seconds=60, ambiguous=True)
    await outbox.record(deliveries[0].id, SendResult(state=DeliveryState.SENT, platform_id="p"))
    await management.lanes.release(work.lease)
    return deliveries[0].id


async def _loaded(management: ManagementHarness) -> LaneWork:
    """Returns the work of a lane of the connection, with one event."""
    connection = (await management.connections.list())[0]
    lane = Lane(
        id=LaneId("lane"),
        kind=LaneKind.CHANNEL,
        instance=connection.instance_id,
        channel="fake",
        account=connection.account,
    )
    await management.inbox.receive([ReceivedEvent(lane=lane, event_id="1", payload="ciphertext")])
    lease = await management.lanes.acquire(lane, owner="test", seconds=60)
    assert lease is not None
    return await management.inbox.load(lease, limit=1)
