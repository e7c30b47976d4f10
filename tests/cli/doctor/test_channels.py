from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from polyant.cli.context import CliContext, run
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channels import ConnectionState
from polyant.domain.conversations import LaneId, TurnId
from polyant.domain.lane_work import EventState, ReceivedEvent, TurnResult
from polyant.domain.lanes import Lane, LaneKind
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.lanes import Lanes
from support.commands import Polyant
from support.doctor import Doctor
from support.packages import install
from support.scripted_telegram import TOKEN, ScriptedTelegram, telegram_in_thread


@pytest.fixture
def telegram(environ: pytest.MonkeyPatch, polyant: Polyant, home: Path) -> Iterator[ScriptedTelegram]:
    """A scripted Telegram to which `demo-bot` is connected."""
    with telegram_in_thread() as (telegram, _):
        environ.setenv("TELEGRAM_API_URL", telegram.url)
        polyant.succeed("channels", "connect", "demo-bot", "telegram", given=f"{TOKEN}\n")
        yield telegram


def test_working_connection_is_no_finding(findings: Doctor, telegram: ScriptedTelegram) -> None:
    assert findings() == []


def test_problem_of_the_platform_is_a_fault(findings: Doctor, telegram: ScriptedTelegram) -> None:
    telegram.webhook_error = "Connection refused"
    [(state, about, message)] = findings()
    assert (state, about) == ("fault", "channel telegram of demo-bot")
    assert "Connection refused" in message


def test_unreachable_platform_is_a_fault(findings: Doctor, telegram: ScriptedTelegram) -> None:
    [(state, _, message)] = findings(TELEGRAM_API_URL="http://127.0.0.1:9")
    assert (state, "Telegram can't be reached" in message) == ("fault", True)


def test_paused_connection_is_a_warning(
    findings: Doctor, telegram: ScriptedTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pause(context: CliContext) -> None:
        connections = await context.get(ChannelConnections)
        (connection,) = await connections.list()
        await connections.save(replace(connection, state=ConnectionState.PAUSED))

    in_store(pause)
    [(state, _, message)] = findings()
    assert (state, "polyant channels connect demo-bot telegram" in message) == ("warning", True)


def test_problem_on_record_is_a_warning(findings: Doctor, telegram: ScriptedTelegram) -> None:
    async def record(context: CliContext) -> None:
        connections = await context.get(ChannelConnections)
        (connection,) = await connections.list()
        since = datetime(2026, 5, 4, 10, 2, tzinfo=UTC)
        await connections.set_problem(connection.id, ProblemKind.POLLED_ELSEWHERE, "another program", at=since)

    in_store(record)
    [(state, about, message)] = findings()
    assert (state, about) == ("warning", "channel telegram of demo-bot")
    assert message.startswith("polled elsewhere since 2026-05-04 10:02 UTC: another program")


def test_imported_channel_is_a_warning(findings: Doctor, telegram: ScriptedTelegram) -> None:
    async def disconnect(context: CliContext) -> None:
        connections = await context.get(ChannelConnections)
        (connection,) = await connections.list()
        await connections.save(replace(connection, state=ConnectionState.DISCONNECTED))

    in_store(disconnect)
    [(state, _, message)] = findings()
    assert (state, message) == (
        "warning",
        "was imported, without an account. Run `polyant channels connect demo-bot telegram`",
    )


def test_channel_that_cannot_be_imported_is_a_fault_beside_the_other_checks(
    findings: Doctor, telegram: ScriptedTelegram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "acme-icq", "raise ImportError('no wire')", [("channel", "icq", "Icq")])
    monkeypatch.syspath_prepend(str(tmp_path))
    telegram.webhook_error = "Connection refused"
    found = findings(CHANNELS="icq,telegram")
    assert [(state, about) for state, about, _ in found] == [
        ("fault", "channel icq"),
        ("fault", "channel telegram of demo-bot"),
    ]
    assert "The channel adapter 'icq' of acme-icq can't be imported: ImportError: no wire" in found[0][2]


def test_dead_letters_are_a_warning(findings: Doctor, telegram: ScriptedTelegram) -> None:
    async def bury(context: CliContext) -> None:
        (connection,) = await (await context.get(ChannelConnections)).list()
        inbox, lanes = await context.get(Inbox), await context.get(Lanes)
        lane = Lane(
            id=LaneId("a" * 64),
            kind=LaneKind.CHANNEL,
            instance=connection.instance_id,
            channel=connection.channel,
            account=connection.account,
        )
        await inbox.receive([ReceivedEvent(lane=lane, event_id="1", payload="ciphertext")])
        lease = await lanes.acquire(lane, owner="test", seconds=60)
        assert lease is not None
        work = await inbox.load(lease, limit=1)
        events = tuple(event.id for event in work.events)
        result = TurnResult(turn=TurnId("1"), events=events, state=EventState.DEAD, error="auth")
        await inbox.finish(work.lease, result, seconds=60)

    in_store(bury)
    assert findings() == [
        (
            "warning",
            "dead letters",
            "1 message couldn't be answered. Run `polyant channels dead-letters`, then `polyant channels replay ID`",
        )
    ]


def in_store(work: object) -> None:
    """Runs the work on the data of the test."""
    import os  # noqa: PLC0415 - the environment of the test

    assert run(work, os.environ) is None  # type: ignore[arg-type]
