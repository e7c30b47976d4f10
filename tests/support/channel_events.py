"""Events of channels in the store."""

from polyant.domain.conversations import LaneId, TurnId
from polyant.domain.lane_work import EventId, EventState, ReceivedEvent, TurnResult
from polyant.domain.lanes import Lane, LaneKind
from support.management import ManagementHarness


async def dead_event(management: ManagementHarness) -> EventId:
    """Returns the number of an event of the connection that failed for good."""
    connection = (await management.connections.list())[0]
    lane = Lane(
        id=LaneId("lane"),
        kind=LaneKind.CHANNEL,
        instance=connection.instance_id,
        channel="fake",
        account=connection.account,
    )
    await management.inbox.receive([ReceivedEvent(lane=lane, event_id="1", payload="ciphertext")])
    lanes = management.lanes
    lease = await lanes.acquire(lane, owner="test", seconds=60)
    assert lease is not None
    work = await management.inbox.load(lease, limit=1)
    result = TurnResult(turn=TurnId("t"), events=(work.events[0].id,), state=EventState.DEAD, error="auth")
    await management.inbox.finish(work.lease, result, seconds=60)
    await lanes.release(work.lease)
    return work.events[0].id
