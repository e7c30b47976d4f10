"""The gravest problem of each channel connection that needs an operator."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.inbox import MemoryInbox
from polyant.domain.attention import Attention, AttentionKind
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channels import ChannelName, ConnectionState
from polyant.domain.lane_work import EventFilter, EventPage
from polyant.domain.use_cases.list_channel_attention import ListChannelAttention
from support.channel_worker import BOT, ChannelWorkerHarness, message
from support.scripted_supervisor import says

NAMES = {BOT: "Bot"}


class CountedInbox(MemoryInbox):
    """An inbox that counts how often its events are listed."""

    lists = 0

    async def list(self, query: EventFilter, *, limit: int, offset: int = 0) -> EventPage:
        self.lists += 1
        return await super().list(query, limit=limit, offset=offset)


@pytest.fixture
async def harness() -> ChannelWorkerHarness:
    return await ChannelWorkerHarness.open()


def attention(harness: ChannelWorkerHarness) -> ListChannelAttention:
    return ListChannelAttention(
        connections=harness.channels.connections, channels=harness.channels.channels, inbox=harness.store.inbox
    )


async def only(harness: ChannelWorkerHarness) -> Attention:
    (found,) = await attention(harness)(NAMES)
    assert (found.slug, found.name, found.channel) == (BOT, "Bot", "fake")
    return found


async def test_working_connection_needs_nothing(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(*says("Hello"))
    await harness.receive(message())
    await harness.work()
    assert await attention(harness)(NAMES) == ()


async def test_connections_of_disabled_instances_need_nothing(harness: ChannelWorkerHarness) -> None:
    paused = replace(harness.connection, state=ConnectionState.PAUSED)
    await harness.channels.connections.save(paused)
    assert await attention(harness)({}) == ()


async def test_paused_connection_is_reported(harness: ChannelWorkerHarness) -> None:
    await harness.channels.connections.save(replace(harness.connection, state=ConnectionState.PAUSED))
    assert (await only(harness)).kind is AttentionKind.CHANNEL_PAUSED


async def test_channel_that_is_not_enabled_is_reported(harness: ChannelWorkerHarness) -> None:
    connections = harness.channels.connections
    await connections.delete(harness.connection.id)
    await connections.add(replace(harness.connection, channel=ChannelName("gone")))
    (found,) = await attention(harness)(NAMES)
    assert (found.kind, found.channel) == (AttentionKind.CHANNEL_UNUSABLE, "gone")
    assert found.reason == "gone isn't among CHANNELS, the channels of this server"


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (ProblemKind.UNUSABLE, AttentionKind.CHANNEL_UNUSABLE),
        (ProblemKind.WEBHOOK_REFUSED, AttentionKind.WEBHOOK_REFUSED),
        (ProblemKind.PULL_REFUSED, AttentionKind.CREDENTIALS_REFUSED),
        (ProblemKind.SENDS_REFUSED, AttentionKind.CREDENTIALS_REFUSED),
        (ProblemKind.POLLED_ELSEWHERE, AttentionKind.POLLED_ELSEWHERE),
        (ProblemKind.UNREACHABLE, AttentionKind.CHANNEL_UNREACHABLE),
    ],
)
async def test_recorded_problem_is_reported(
    harness: ChannelWorkerHarness, problem: ProblemKind, kind: AttentionKind
) -> None:
    since = harness.clock.now()
    await harness.channels.connections.set_problem(harness.connection.id, problem, "why", at=since)
    found = await only(harness)
    assert (found.kind, found.since, found.reason) == (kind, since, "why")


async def test_gravest_problem_is_reported(harness: ChannelWorkerHarness) -> None:
    now = harness.clock.now()
    for number, kind in enumerate(reversed(ProblemKind)):
        at = now + timedelta(seconds=number)
        await harness.channels.connections.set_problem(harness.connection.id, kind, kind, at=at)
    assert (await only(harness)).reason == ProblemKind.UNUSABLE


async def test_dead_letters_are_reported_until_they_are_replayed(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(RuntimeError("always"))
    await harness.receive(message())
    for _ in range(7):
        await harness.work(seconds=600)
    (event,) = (await harness.store.inbox.list(EventFilter(), limit=9)).events
    assert event.state.value == "dead"
    found = await only(harness)
    assert (found.kind, found.reason) == (AttentionKind.DEAD_LETTERS, "1 message couldn't be answered")
    await harness.store.inbox.replay(event.id)
    assert await attention(harness)(NAMES) == ()


async def test_events_are_counted_only_if_there_are_connections(harness: ChannelWorkerHarness) -> None:
    inbox = CountedInbox(store=harness.store.store, clock=harness.clock)
    harness.store.inbox = inbox
    await attention(harness)(NAMES)
    assert inbox.lists == 1  # no dead letters at all
    await harness.channels.connections.delete(harness.connection.id)
    await attention(harness)(NAMES)
    assert inbox.lists == 1
