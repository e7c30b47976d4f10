"""The problems of a connection are on record until a success ends them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.channel_connections import MemoryChannelConnections
from polyant.domain.channel_events import InboundBatch, WebhookRefusedError, WebhookRequest
from polyant.domain.channel_info import ChannelRefusedError, ChannelUnreachableError, PullConflictError
from polyant.domain.channel_problems import ChannelProblem, ProblemKind
from polyant.domain.channel_registry import ChannelUnavailableError
from polyant.domain.channel_sends import Refused
from polyant.domain.channels import ChannelAccount, ChannelConnection, ConnectionId, Delivery
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instances import Instance
from polyant.domain.ports.channel import EventSource
from polyant.domain.use_cases.channels.record_problems import RecordProblems
from polyant.testing.fake_channel import FAKE_TOKEN
from support.channel_harness import FAKE
from support.channel_worker import BOT, ChannelWorkerHarness, message
from support.scripted_supervisor import says
from support.waiting import until


class CountedConnections(MemoryChannelConnections):
    """A store that counts the writes of problems, and can be away."""

    writes = 0
    is_away = False

    async def set_problem(self, connection_id: ConnectionId, kind: ProblemKind, *args: object, **named: object) -> None:
        if self.is_away:
            raise StorageUnavailableError
        self.writes += 1
        await super().set_problem(connection_id, kind, *args, **named)  # type: ignore[arg-type]


@pytest.fixture
async def harness() -> ChannelWorkerHarness:
    return await ChannelWorkerHarness.open()


async def problems(harness: ChannelWorkerHarness) -> list[tuple[str, str]]:
    connection = await harness.channels.connections.get(harness.connection.id)
    assert connection is not None
    return [(problem.kind.value, problem.reason) for problem in connection.problems]


async def refused(harness: ChannelWorkerHarness, *, token: str = "forged") -> None:
    with pytest.raises(WebhookRefusedError):
        await harness.receive(message(), token=token)


async def test_refused_webhook_is_on_record_until_a_request_is_accepted(harness: ChannelWorkerHarness) -> None:
    await refused(harness)
    since = harness.clock.now()
    harness.clock.advance(60)
    await refused(harness)
    stored = await harness.channels.connections.get(harness.connection.id)
    assert stored is not None
    reason = "the signature or secret is wrong"
    assert stored.problems == (ChannelProblem(kind=ProblemKind.WEBHOOK_REFUSED, since=since, reason=reason),)
    assert stored.version == harness.connection.version
    harness.clock.advance(2)
    await harness.receive(message())
    assert await problems(harness) == []


async def test_malformed_request_is_on_record_with_its_reason(harness: ChannelWorkerHarness) -> None:
    request = WebhookRequest(method="POST", headers={"x-fake-token": FAKE_TOKEN}, body=b"nonsense")
    with pytest.raises(WebhookRefusedError):
        await harness.receive_events(FAKE, harness.connection.id, request)
    assert await problems(harness) == [("webhook_refused", "the body can't be understood")]


@pytest.fixture
def counted(harness: ChannelWorkerHarness) -> CountedConnections:
    """The store of the harness with counted writes."""
    return CountedConnections(memory=harness.channels.repo.memory)


async def read(counted: CountedConnections, harness: ChannelWorkerHarness) -> ChannelConnection:
    connection = await counted.get(harness.connection.id)
    assert connection is not None
    return connection


async def test_many_failures_cost_few_writes(harness: ChannelWorkerHarness, counted: CountedConnections) -> None:
    record = RecordProblems(connections=counted, clock=harness.clock)
    connection = harness.connection
    for _ in range(100):
        await record.began(connection, ProblemKind.WEBHOOK_REFUSED, "wrong")
    assert counted.writes == 1
    connection = await read(counted, harness)
    harness.clock.advance(3_600)
    await record.began(connection, ProblemKind.WEBHOOK_REFUSED, "wrong")
    assert counted.writes == 1  # the connection shows it already
    await record.began(connection, ProblemKind.WEBHOOK_REFUSED, "wrong in another way")
    assert counted.writes == 2


async def test_success_is_written_once(harness: ChannelWorkerHarness, counted: CountedConnections) -> None:
    record = RecordProblems(connections=counted, clock=harness.clock)
    await record.ended(harness.connection, *ProblemKind)
    assert counted.writes == 0
    await record.began(harness.connection, ProblemKind.WEBHOOK_REFUSED, "wrong")
    connection = await read(counted, harness)
    for _ in range(100):
        await record.ended(connection, ProblemKind.WEBHOOK_REFUSED)
    assert counted.writes == 2
    assert (await read(counted, harness)).problems == ()


async def test_problem_that_comes_back_is_ended_again(
    harness: ChannelWorkerHarness, counted: CountedConnections
) -> None:
    record = RecordProblems(connections=counted, clock=harness.clock)
    for _ in range(2):
        await record.began(await read(counted, harness), ProblemKind.WEBHOOK_REFUSED, "wrong")
        assert len((await read(counted, harness)).problems) == 1
        await record.ended(await read(counted, harness), ProblemKind.WEBHOOK_REFUSED)
        assert (await read(counted, harness)).problems == ()
        harness.clock.advance(11)


async def test_failure_soon_after_a_written_one_is_on_record(
    harness: ChannelWorkerHarness, counted: CountedConnections
) -> None:
    record = RecordProblems(connections=counted, clock=harness.clock)
    await record.began(harness.connection, ProblemKind.WEBHOOK_REFUSED, "wrong")
    await record.ended(await read(counted, harness), ProblemKind.WEBHOOK_REFUSED)
    connection = await read(counted, harness)
    harness.clock.advance(3)
    since = harness.clock.now()
    for reason in ("wrong", "wrong in another way"):
        await record.began(connection, ProblemKind.WEBHOOK_REFUSED, reason)
    assert counted.writes == 2
    await harness.clock.sleepers()
    harness.clock.advance(7)

    async def is_written() -> bool:
        return counted.writes == 3

    await until(is_written)
    (problem,) = (await read(counted, harness)).problems
    assert (problem.reason, problem.since) == ("wrong in another way", since)


async def test_success_ends_a_failure_that_is_not_written_yet(
    harness: ChannelWorkerHarness, counted: CountedConnections
) -> None:
    record = RecordProblems(connections=counted, clock=harness.clock)
    await record.began(harness.connection, ProblemKind.WEBHOOK_REFUSED, "wrong")
    await record.ended(await read(counted, harness), ProblemKind.WEBHOOK_REFUSED)
    connection = await read(counted, harness)
    for _ in range(100):
        await record.began(connection, ProblemKind.WEBHOOK_REFUSED, "wrong")
        await record.ended(connection, ProblemKind.WEBHOOK_REFUSED)
    await harness.clock.sleepers()
    harness.clock.advance(10)
    await record.began(connection, ProblemKind.SENDS_REFUSED, "no")
    harness.clock.advance(10)
    for _ in range(10):
        await asyncio.sleep(0)
    assert counted.writes == 3
    assert [problem.kind for problem in (await read(counted, harness)).problems] == [ProblemKind.SENDS_REFUSED]


async def test_outage_of_the_store_is_no_error(harness: ChannelWorkerHarness, counted: CountedConnections) -> None:
    record = RecordProblems(connections=counted, clock=harness.clock)
    counted.is_away = True
    await record.began(harness.connection, ProblemKind.WEBHOOK_REFUSED, "wrong")
    counted.is_away = False
    harness.clock.advance(11)
    await record.began(harness.connection, ProblemKind.WEBHOOK_REFUSED, "wrong")
    connection = await read(counted, harness)
    assert len(connection.problems) == 1
    counted.is_away = True
    await record.ended(connection, ProblemKind.WEBHOOK_REFUSED)
    counted.is_away = False
    await record.ended(connection, ProblemKind.WEBHOOK_REFUSED)
    assert (await read(counted, harness)).problems == ()


async def test_refused_credentials_of_sends_are_on_record(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(*says("One"))
    harness.fake.outcomes.append(Refused("401", credentials=True))
    await harness.receive(message(1))
    await harness.work()
    assert await problems(harness) == [("sends_refused", "the platform refuses the credentials (401)")]
    harness.supervisor.plays(*says("Two"))
    await harness.receive(message(2))
    await harness.work(seconds=11)
    assert await problems(harness) == []


async def test_refused_message_is_no_problem_of_the_connection(harness: ChannelWorkerHarness) -> None:
    harness.supervisor.plays(*says("One"))
    harness.fake.outcomes.append(Refused("403"))
    await harness.receive(message(1))
    await harness.work()
    assert await problems(harness) == []


async def test_missing_credential_is_on_record_until_it_is_back(harness: ChannelWorkerHarness) -> None:
    instance = await harness.channels.load(BOT)
    await harness.channels.repo.save(replace(instance, secrets={}))
    with pytest.raises(Exception, match="lacks a credential"):
        await harness.receive(message())
    (found,) = await problems(harness)
    assert found[0] == "unusable"
    assert "The secret fake_token of bot is missing" in found[1]
    await restore(harness, instance)
    harness.clock.advance(2)
    await harness.receive(message())
    assert await problems(harness) == []


async def restore(harness: ChannelWorkerHarness, instance: Instance) -> None:
    changed = await harness.channels.load(BOT)
    await harness.channels.repo.save(replace(instance, version=changed.version))


async def test_channel_whose_adapter_cannot_be_loaded_waits(
    harness: ChannelWorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def load(_: object) -> None:
        raise ImportError("No module named 'acme'")

    await harness.receive(message())
    with monkeypatch.context() as patched:
        patched.setattr(harness.channels.channels, "_load", load)
        with pytest.raises(ChannelUnavailableError):
            await harness.receive(message(2))
        await harness.work()
        (found,) = await problems(harness)
        assert found == ("unusable", "The adapter of the channel \"fake\" can't be loaded. No module named 'acme'")
    harness.supervisor.plays(*says("Hello"))
    await harness.work(seconds=61)
    assert harness.texts == ["Hello"]
    assert await problems(harness) == []


class FailingSource(EventSource):
    """A source that fails as long as there is an error, and delivers nothing."""

    error: Exception | None = None

    async def receive(self, seconds: float) -> InboundBatch:
        if self.error is not None:
            raise self.error
        await asyncio.sleep(0)
        return InboundBatch()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PullConflictError(), "polled_elsewhere"),
        (ChannelRefusedError("Fake refuses the token"), "pull_refused"),
        (ChannelUnreachableError("Fake"), "unreachable"),
    ],
)
async def test_failed_pull_is_on_record_until_one_succeeds(
    error: Exception, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = await ChannelWorkerHarness.open(delivery=Delivery.PULL)
    source = FailingSource()

    @asynccontextmanager
    async def pull(_: ChannelAccount) -> AsyncIterator[EventSource]:
        yield source

    monkeypatch.setattr(harness.fake, "pull", pull)
    source.error = error

    async def kinds() -> list[str]:
        harness.clock.advance(1)
        return [found for found, _ in await problems(harness)]

    async def is_recorded() -> bool:
        return await kinds() == [kind]

    async def is_ended() -> bool:
        return await kinds() == []

    task = asyncio.create_task(harness.pull.run())
    await until(is_recorded)
    source.error = None
    await until(is_ended)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
