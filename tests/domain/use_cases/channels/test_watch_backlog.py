from polyant.adapters.memory.inbox import MemoryInbox
from polyant.adapters.memory.lanes import MemoryLanes
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.channel_metrics import ChannelMetrics
from polyant.domain.conversations import LaneId, TurnId
from polyant.domain.instances import InstanceId
from polyant.domain.lane_work import EventState, ReceivedEvent, TurnResult
from polyant.domain.lanes import Lane, LaneKind
from polyant.domain.use_cases.channels.watch_backlog import WatchBacklog
from polyant.testing.manual_clock import ManualClock

LANE = Lane(id=LaneId("a"), kind=LaneKind.CHANNEL, instance=InstanceId("0" * 32), channel="fake", account="1")


class RecordedMetrics(ChannelMetrics):
    def __init__(self) -> None:
        self.backlogs: list[tuple[float, int]] = []

    def ended(self, *, channel: str, outcome: str, number: int) -> None:
        raise AssertionError

    def backlog(self, *, lag: float, dead_letters: int) -> None:
        self.backlogs.append((lag, dead_letters))


async def test_lag_and_dead_letters_are_measured() -> None:
    store, clock, metrics = MemoryStore(), ManualClock(), RecordedMetrics()
    inbox, lanes = MemoryInbox(store=store, clock=clock), MemoryLanes(store=store, clock=clock)
    watch = WatchBacklog(inbox=inbox, lanes=lanes, clock=clock, metrics=metrics)
    await watch.measure(metrics)
    await inbox.receive([ReceivedEvent(lane=LANE, event_id="1", payload="x", quiet=1.0, longest_wait=5.0)])
    await watch.measure(metrics)
    clock.advance(8)
    await watch.measure(metrics)
    lease = await lanes.claim(owner="test", seconds=60)
    assert lease is not None
    work = await inbox.load(lease, limit=1)
    events = tuple(event.id for event in work.events)
    await inbox.finish(work.lease, TurnResult(turn=TurnId("1"), events=events, state=EventState.DEAD), seconds=60)
    await lanes.release(work.lease)
    await watch.measure(metrics)
    assert metrics.backlogs == [(0.0, 0), (0.0, 0), (7.0, 0), (0.0, 1)]


async def test_nothing_is_measured_without_metrics() -> None:
    store, clock = MemoryStore(), ManualClock()
    inbox, lanes = MemoryInbox(store=store, clock=clock), MemoryLanes(store=store, clock=clock)
    await WatchBacklog(inbox=inbox, lanes=lanes, clock=clock).run()
