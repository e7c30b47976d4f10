"""Socket Mode."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from adapters.channels.slack.conftest import account_of
from polyant.adapters.channels.slack.channel import SlackChannel
from polyant.domain.channel_events import InboundBatch
from polyant.domain.channel_info import ChannelRefusedError, ChannelUnreachableError, PullConflictError
from polyant.domain.channels import Delivery
from polyant.domain.ports.channel import EventSource
from support.patience import PATIENCE, seconds
from support.slack_events import DIRECT, app_mention, message
from support.slack_platform import SlackPlatform, lost, refusal, status

SHORT = seconds(0.05)
ACCOUNT = account_of(delivery=Delivery.PULL)


def stamp(number: int) -> str:
    return f"17000000{number:02}.000000"


def texts(batch: InboundBatch) -> list[str]:
    return [event.text for event in batch.events]


@pytest.fixture
async def source(channel: SlackChannel) -> AsyncIterator[EventSource]:
    async with channel.pull(ACCOUNT) as source:
        yield source


async def receive(source: EventSource, count: int = 1) -> list[str]:
    """Returns the texts of the next events."""
    received: list[str] = []
    while len(received) < count:
        received += texts(await source.receive(PATIENCE))
    return received


async def test_entering_makes_no_call(source: EventSource, slack: SlackPlatform) -> None:
    assert slack.calls == []


async def test_events_arrive_in_order(source: EventSource, slack: SlackPlatform) -> None:
    for number in range(3):
        await slack.deliver(message(f"message {number}", channel=DIRECT, ts=stamp(number)))
    assert await receive(source, 3) == ["message 0", "message 1", "message 2"]


async def test_nothing_arrives_within_the_time(source: EventSource, slack: SlackPlatform) -> None:
    while not slack.open_sockets:  # also if opening a socket takes longer than a receiver waits
        assert await source.receive(SHORT) == InboundBatch()
    assert await source.receive(SHORT) == InboundBatch()
    assert len(slack.sockets) == 1


async def test_events_are_acknowledged_by_the_next_call_only(source: EventSource, slack: SlackPlatform) -> None:
    envelope = await slack.deliver(message("one", channel=DIRECT))
    await receive(source)
    await asyncio.sleep(SHORT)
    assert slack.acknowledged == []
    assert await source.receive(SHORT) == InboundBatch()
    await slack.until(lambda: slack.acknowledged == [envelope])


async def test_unacknowledged_events_are_delivered_to_the_next_source(
    channel: SlackChannel, slack: SlackPlatform
) -> None:
    await slack.deliver(message("one", channel=DIRECT))
    async with channel.pull(ACCOUNT) as first:
        batch = await first.receive(PATIENCE)
    assert slack.acknowledged == []
    async with channel.pull(ACCOUNT) as second:
        assert await second.receive(PATIENCE) == batch


async def test_leaving_closes_the_sockets(channel: SlackChannel, slack: SlackPlatform) -> None:
    async with channel.pull(ACCOUNT) as source:
        await source.receive(SHORT)
        await slack.until(lambda: slack.open_sockets)
    await slack.until(lambda: not slack.open_sockets)
    assert not any("socket_source" in repr(task.get_coro()) for task in asyncio.all_tasks())


async def test_leaving_while_a_socket_is_opened_ends_at_once(channel: SlackChannel, slack: SlackPlatform) -> None:
    slack.greeting = {"type": "silence"}
    async with channel.pull(ACCOUNT) as source:
        assert await source.receive(SHORT) == InboundBatch()


async def test_cancelled_receiver_loses_nothing(source: EventSource, slack: SlackPlatform) -> None:
    for number in range(20):
        waiting = asyncio.create_task(source.receive(PATIENCE))
        await asyncio.sleep(0)
        await slack.deliver(message(f"{number}", channel=DIRECT, ts=stamp(number)))
        if not waiting.cancel():
            continue
        with contextlib.suppress(asyncio.CancelledError):
            assert texts(await waiting) == [f"{number}"]
            continue
        assert await receive(source) == [f"{number}"]


async def test_other_messages_are_counted_and_acknowledged(source: EventSource, slack: SlackPlatform) -> None:
    await slack.deliver(message("x", channel=DIRECT, bot_id="B0OTHER"))
    await slack.deliver({}, type="slash_commands", payload={"command": "/x"})
    await slack.deliver({}, payload={"rubbish": True})
    ignored = 0
    while ignored < 3:
        batch = await source.receive(PATIENCE)
        assert batch.events == ()
        ignored += batch.ignored
    await source.receive(SHORT)
    await slack.until(lambda: len(slack.acknowledged) == 3)


@pytest.mark.parametrize("rubbish", ["", "{", "[]", "null"])
async def test_rubbish_is_ignored(source: EventSource, slack: SlackPlatform, rubbish: str) -> None:
    await source.receive(SHORT)
    await slack.until(lambda: slack.open_sockets)
    await slack.open_sockets[0].send_str(rubbish)
    await slack.deliver(app_mention("<@U0BOT> hi"))
    assert await receive(source) == ["hi"]


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_replacement_is_opened_before_the_announced_socket_is_closed(
    source: EventSource, slack: SlackPlatform, reason: str
) -> None:
    await slack.deliver(message("one", channel=DIRECT, ts=stamp(1)))
    await receive(source)
    old = slack.sockets[0]
    await slack.announce(reason, old)
    waiting = asyncio.create_task(receive(source, 2))
    await slack.until(lambda: len(slack.sockets) == 2)
    assert not old.closed
    await slack.deliver(message("two", channel=DIRECT, ts=stamp(2)))
    await slack.deliver(message("three", channel=DIRECT, ts=stamp(3)))
    assert await waiting == ["two", "three"]
    await source.receive(SHORT)
    await slack.until(lambda: old.closed)
    assert len(slack.open_sockets) == 1
    await slack.until(lambda: len(slack.acknowledged) == 3)


async def test_closed_socket_is_replaced(source: EventSource, slack: SlackPlatform) -> None:
    await slack.deliver(message("one", channel=DIRECT, ts=stamp(1)))
    await receive(source)
    await slack.sockets[0].close()
    await slack.deliver(message("two", channel=DIRECT, ts=stamp(2)))
    assert "two" in await receive(source)
    assert len(slack.sockets) == 2


async def test_too_many_sockets_are_a_conflict(source: EventSource, slack: SlackPlatform) -> None:
    slack.greeting = {"type": "disconnect", "reason": "too_many_websockets"}
    with pytest.raises(PullConflictError):
        await source.receive(PATIENCE)


async def test_socket_mode_that_is_turned_off_is_refused(source: EventSource, slack: SlackPlatform) -> None:
    await slack.deliver(message("one", channel=DIRECT))
    await receive(source)
    await slack.announce("link_disabled", slack.sockets[0])
    with pytest.raises(ChannelRefusedError, match="Socket Mode"):
        await source.receive(PATIENCE)


async def test_refused_token_is_reported(source: EventSource, slack: SlackPlatform) -> None:
    slack.scripts["apps.connections.open"].append(refusal("invalid_auth"))
    with pytest.raises(ChannelRefusedError, match=r"app_token \(invalid_auth\)"):
        await source.receive(PATIENCE)


async def test_failing_platform_is_unreachable_until_it_recovers(source: EventSource, slack: SlackPlatform) -> None:
    slack.scripts["apps.connections.open"] += [lost, status(503), status(429, retry_after="30")]
    for wait in (5, 5, 30):
        with pytest.raises(ChannelUnreachableError) as error:
            await source.receive(PATIENCE)
        assert error.value.retry_after == wait
    await slack.deliver(message("one", channel=DIRECT))
    assert await receive(source) == ["one"]


async def test_socket_is_opened_to_slack_only(
    source: EventSource, slack: SlackPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SlackPlatform() as elsewhere:
        slack.socket_url = elsewhere.url
        with pytest.raises(ChannelUnreachableError):
            await source.receive(PATIENCE)
        assert elsewhere.sockets == []


async def test_greeting_is_required(source: EventSource, slack: SlackPlatform) -> None:
    slack.greeting = {"type": "events_api", "envelope_id": "x"}
    with pytest.raises(ChannelUnreachableError):
        await source.receive(PATIENCE)
