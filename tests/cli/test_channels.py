import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyant.domain.pairing import PairingCodes
from polyant.domain.ports.channel_connections import ChannelConnections
from polyant.settings import read_settings
from polyant.wiring import open_container
from support.commands import Done, Polyant
from support.scripted_telegram import TOKEN, ScriptedTelegram, refusal, telegram_in_thread

CONNECT = ("channels", "connect", "demo-bot", "telegram")
PUBLIC = "https://bots.example"


@pytest.fixture
def telegram(environ: pytest.MonkeyPatch) -> Iterator[ScriptedTelegram]:
    """A scripted Telegram that the commands of the test use."""
    with telegram_in_thread() as (telegram, _):
        environ.setenv("TELEGRAM_API_URL", telegram.url)
        yield telegram


def connect(polyant: Polyant, *options: str, given: str = f"{TOKEN}\n", **variables: str) -> Done:
    return polyant.succeed(*CONNECT, *options, given=given, **variables)


def test_bot_is_connected_listed_tested_and_disconnected(
    polyant: Polyant, home: Path, telegram: ScriptedTelegram
) -> None:
    done = connect(polyant, PUBLIC_URL=PUBLIC)
    first, second, third = done.stdout.splitlines()
    assert first == "Connected demo-bot to @demo_bot on telegram."
    assert second == f"Webhook: {telegram.webhook['url']}"
    assert telegram.webhook["url"].startswith(f"{PUBLIC}/channels/telegram/")
    assert third == ("Users get a pairing code. Approve it with `polyant channels approve demo-bot telegram CODE`.")
    head, row = polyant.succeed("channels", "list").stdout.splitlines()
    assert head.split() == ["INSTANCE", "CHANNEL", "ACCOUNT", "STATE", "DELIVERY", "ACCESS", "PROBLEM"]
    assert row.split() == ["demo-bot", "telegram", "@demo_bot", "active", "webhook", "pairing"]
    assert polyant.succeed("channels", "test", "demo-bot", "telegram").stdout == "@demo_bot is connected.\n"
    done = polyant.succeed("channels", "disconnect", "demo-bot", "telegram")
    assert done == Done(0, "Disconnected demo-bot from telegram.\n", "")
    assert telegram.webhook == {"url": ""}
    assert polyant.succeed("channels", "list", "demo-bot", "--json").json == {"channels": []}
    assert polyant.succeed("secrets", "list", "demo-bot", "--json").json == {"secrets": []}


def test_messages_are_polled_without_a_public_address(polyant: Polyant, home: Path, telegram: ScriptedTelegram) -> None:
    done = connect(polyant)
    assert "Running servers fetch its messages" in done.stdout
    assert telegram.webhook == {"url": ""}
    shown = polyant.succeed("channels", "list", "demo-bot", "--json").json["channels"][0]
    assert (shown["delivery"], shown["webhook"], shown["account"]) == ("pull", None, "123456789")


def test_token_never_appears(polyant: Polyant, home: Path, telegram: ScriptedTelegram) -> None:
    outputs = [connect(polyant, "--json")]
    outputs += [polyant.succeed("channels", "list", "--json"), polyant.succeed("secrets", "list", "demo-bot")]
    telegram.fault("getMe", refusal(401, "Unauthorized"))
    outputs.append(polyant("channels", "test", "demo-bot", "telegram"))
    outputs.append(polyant(*CONNECT, given="1:wrong\n"))
    for output in outputs:
        assert TOKEN.partition(":")[2] not in output.stdout + output.stderr
    assert "1:wrong" not in outputs[-1].stdout + outputs[-1].stderr


def test_empty_line_keeps_the_stored_token(polyant: Polyant, home: Path, telegram: ScriptedTelegram) -> None:
    connect(polyant)
    assert "Connected" in connect(polyant, "--access", "everybody", given="\n").stdout
    assert polyant.succeed("channels", "list", "--json").json["channels"][0]["access"] == "everybody"


def test_missing_and_wrong_token_are_usage_errors(polyant: Polyant, home: Path, telegram: ScriptedTelegram) -> None:
    done = polyant(*CONNECT)
    assert (done.code, done.stderr) == (
        2,
        "polyant: Bot token is missing. @BotFather shows it after /newbot, and with /token\n",
    )
    done = polyant(*CONNECT, given="1:wrong\n")
    assert (done.code, done.stderr) == (
        2,
        "polyant: Telegram refuses the token: enter the current one of @BotFather\n",
    )
    assert polyant.succeed("channels", "list", "--json").json == {"channels": []}


def test_webhook_needs_a_public_url(polyant: Polyant, home: Path, telegram: ScriptedTelegram) -> None:
    done = polyant(*CONNECT, "--delivery", "webhook", given=f"{TOKEN}\n")
    assert done.code == 2
    assert "Set PUBLIC_URL" in done.stderr


def test_unreachable_platform_is_reported(polyant: Polyant, home: Path) -> None:
    done = polyant(*CONNECT, given=f"{TOKEN}\n", TELEGRAM_API_URL="http://127.0.0.1:9")
    assert (done.code, done.stderr) == (3, "polyant: Telegram can't be reached\n")


def test_choices_are_changed(polyant: Polyant, home: Path, telegram: ScriptedTelegram) -> None:
    connect(polyant)
    update = ("channels", "update", "demo-bot", "telegram")
    choices = ("--access", "allow-list", "--users", "7, 8", "--burst", "interrupt", "--ambiguous-sends", "hold")
    changed = polyant.succeed(*update, *choices, "--json").json
    assert (changed["access"], changed["users"]) == ("allow-list", ["7", "8"])
    assert (changed["burst"], changed["ambiguousSends"]) == ("interrupt", "hold")
    assert polyant.succeed(*update, "--users", "", "--json").json["users"] == []
    for options in ((), ("--access", "workspace"), ("--users", "a/é"), ("--burst", "never")):
        assert polyant(*update, *options).code == 2


def test_problems_of_the_account_are_printed(polyant: Polyant, home: Path, telegram: ScriptedTelegram) -> None:
    connect(polyant)
    telegram.webhook_error = "Connection refused"
    done = polyant("channels", "test", "demo-bot", "telegram")
    assert done.code == 1
    assert "Connection refused" in done.stderr
    assert polyant("channels", "test", "demo-bot", "telegram", "--json").json["problems"]


def test_unknown_things_are_not_found(polyant: Polyant, home: Path, telegram: ScriptedTelegram) -> None:
    for arguments in (
        ("connect", "nobody", "telegram"),
        ("connect", "demo-bot", "icq"),
        ("list", "nobody"),
        ("test", "demo-bot", "telegram"),
        ("approve", "demo-bot", "telegram", "1-A"),
        ("update", "demo-bot", "telegram", "--users", "1"),
        ("disconnect", "demo-bot", "telegram"),
        ("dead-letters", "nobody"),
        ("replay", "7"),
    ):
        assert polyant("channels", *arguments).code == 4, arguments


def test_wrong_pairing_code_is_a_usage_error(polyant: Polyant, home: Path, telegram: ScriptedTelegram) -> None:
    connect(polyant)
    done = polyant("channels", "approve", "demo-bot", "telegram", "4711-AAAAAAAA")
    assert (done.code, done.stderr) == (
        2,
        "polyant: The pairing code is wrong: enter it as the account showed it to the user\n",
    )


def test_there_are_no_dead_letters(polyant: Polyant, home: Path) -> None:
    assert polyant.succeed("channels", "doubtful-sends", "--json").json == {"doubtfulSends": [], "total": 0}
    assert polyant.succeed("channels", "doubtful-sends", "demo-bot").stdout.split()[:2] == ["ID", "CREATED"]
    assert polyant.succeed("channels", "dead-letters", "--json").json == {"deadLetters": [], "total": 0}
    assert polyant.succeed("channels", "dead-letters").stdout.split() == [
        "ID",
        "RECEIVED",
        "CHANNEL",
        "ATTEMPTS",
        "ERROR",
    ]


def test_connections_are_paused_by_a_restore(
    polyant: Polyant, home: Path, telegram: ScriptedTelegram, tmp_path: Path, environ: pytest.MonkeyPatch
) -> None:
    connect(polyant)
    file, target = tmp_path / "saved.backup", tmp_path / "target"
    done = polyant.succeed("backup", str(file), given="correct horse battery\n")
    assert "1 channel, " in done.stdout
    environ.setenv("POLYANT_HOME", str(target))
    polyant.succeed("restore", str(file), given="correct horse battery\n")
    assert polyant.succeed("channels", "list", "--json").json["channels"][0]["state"] == "paused"
    assert "The connection is paused" in polyant("channels", "test", "demo-bot", "telegram").stderr
    connect(polyant, given="\n")
    assert polyant.succeed("channels", "list", "--json").json["channels"][0]["state"] == "active"


def test_page_is_followed_word_by_word(polyant: Polyant, home: Path, telegram: ScriptedTelegram) -> None:
    """The page's pairing code is replaced by the one that the user would get."""
    page = (Path(__file__).parents[2] / "docs" / "channels" / "telegram.md").read_text()
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```$", page)
    lines = [line for block in blocks for line in block.splitlines()]
    commands = [line.removeprefix("polyant ").split() for line in lines]
    assert [command[1] for command in commands] == ["connect", "approve", "test", "dead-letters"]
    assert "Connected demo-bot" in polyant.succeed(*commands[0], given=f"{TOKEN}\n").stdout
    code = asyncio.run(code_of_a_stranger(dict(os.environ)))
    assert re.fullmatch(r"4711-[A-Z2-7]{8}", commands[1][-1])
    polyant.succeed(*commands[1][:-1], code)
    for access in ("allow-list", "pairing", "everybody"):
        assert f"| `{access}` |" in page
        polyant.succeed("channels", "update", "demo-bot", "telegram", "--access", access)
    assert polyant.succeed(*commands[2]).stdout == "@demo_bot is connected.\n"
    polyant.succeed(*commands[3])
    assert "`polyant channels disconnect demo-bot telegram`" in page
    polyant.succeed("channels", "disconnect", "demo-bot", "telegram")
    assert telegram.webhook == {"url": ""}


async def code_of_a_stranger(environ: dict[str, str]) -> str:
    async with open_container(read_settings(environ), environ, create=False) as container:
        (connection,) = await (await container.get(ChannelConnections)).list()
        return await (await container.get(PairingCodes)).code_of(connection.id, "4711")
