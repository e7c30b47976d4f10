"""The commands on the pages of channels, typed as printed against the scripted platforms."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyant.adapters.channels.slack.channel import SlackChannel
from polyant.adapters.channels.whatsapp.channel import WhatsAppChannel
from polyant.domain.channel_info import ChannelInfo
from support.commands import Done, Polyant
from support.slack_platform import APP_TOKEN, BOT_TOKEN, SlackPlatform, slack_in_thread
from support.slack_rig import SECRET as SIGNING_SECRET
from support.upstream import upstream_in_thread
from support.whatsapp_events import APP_SECRET, NUMBER, VERIFY_TOKEN
from support.whatsapp_platform import TOKEN, WhatsAppPlatform

PAGES = Path(__file__).parents[2] / "docs" / "channels"
PUBLIC = "https://bots.example"


@pytest.fixture
def slack(environ: pytest.MonkeyPatch) -> Iterator[SlackPlatform]:
    with slack_in_thread() as slack:
        environ.setenv("SLACK_API_URL", f"{slack.url}/api")
        yield slack


@pytest.fixture
def whatsapp(environ: pytest.MonkeyPatch) -> Iterator[WhatsAppPlatform]:
    with upstream_in_thread() as thread:
        whatsapp = WhatsAppPlatform(thread.upstream)
        environ.setenv("WHATSAPP_API_URL", whatsapp.url)
        yield whatsapp


def commands(page: str) -> list[list[str]]:
    """Returns the arguments of the commands in the page's blocks, in order."""
    blocks = re.findall(r"(?ms)^ *```sh\n(.*?)^ *```$", (PAGES / page).read_text())
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line.removeprefix("polyant ")) for line in lines if line.startswith("polyant ")]


def accesses(page: str) -> list[str]:
    """Returns the values of --access in the page's table, the default first if it comes first."""
    table = (PAGES / page).read_text().partition("\n| access |")[2].partition("\n\n")[0]
    return re.findall(r"(?m)^\| `([a-z-]+)` \|", table)


def connect(polyant: Polyant, arguments: list[str], *credentials: str) -> Done:
    assert arguments[:2] == ["channels", "connect"]
    return polyant.succeed(*arguments, given="".join(f"{each}\n" for each in credentials))


def secrets(polyant: Polyant) -> list[str]:
    listed = polyant.succeed("secrets", "list", "demo-bot", "--json").json["secrets"]
    return sorted(secret["key"] for secret in listed)


def check_accesses(polyant: Polyant, page: str, info: ChannelInfo) -> None:
    listed = accesses(page)
    assert listed[0] == info.access
    assert sorted(listed) == sorted(info.accesses)
    for access in listed:
        polyant.succeed("channels", "update", "demo-bot", info.name, "--access", access)
        assert polyant.succeed("channels", "list", "--json").json["channels"][0]["access"] == access


def test_page_of_slack(polyant: Polyant, home: Path, slack: SlackPlatform, environ: pytest.MonkeyPatch) -> None:
    pull, webhook, *checks = commands("slack.md")
    done = connect(polyant, pull, BOT_TOKEN, APP_TOKEN)
    assert (done.stderr, "Running servers fetch its messages" in done.stdout) == ("", True)
    assert secrets(polyant) == ["slack_app_token", "slack_token"]
    check_accesses(polyant, "slack.md", SlackChannel.info)
    environ.setenv("PUBLIC_URL", PUBLIC)
    done = connect(polyant, webhook, BOT_TOKEN, SIGNING_SECRET)
    assert f"Webhook: {PUBLIC}/channels/slack/" in done.stdout
    assert "Event Subscriptions" in done.stderr
    assert [polyant.succeed(*check).code for check in checks] == [0, 0]
    polyant.succeed("channels", "disconnect", "demo-bot", "slack")
    assert {"slack_token", "slack_signing_secret"}.isdisjoint(secrets(polyant))


def test_page_of_whatsapp(
    polyant: Polyant, home: Path, whatsapp: WhatsAppPlatform, environ: pytest.MonkeyPatch
) -> None:
    environ.setenv("PUBLIC_URL", PUBLIC)
    first, *checks = commands("whatsapp.md")
    done = connect(polyant, first, TOKEN, APP_SECRET, VERIFY_TOKEN)
    assert (done.stderr, f"Webhook: {PUBLIC}/channels/whatsapp/" in done.stdout) == ("", True)
    assert secrets(polyant) == ["whatsapp_app_secret", "whatsapp_token", "whatsapp_verify_token"]
    connection = polyant.succeed("channels", "list", "--json").json["channels"][0]
    assert (connection["account"], connection["users"]) == (NUMBER, ["16505551234"])
    assert whatsapp.callbacks["phone_number"] == connection["webhook"]
    assert whatsapp.subscribed
    assert [polyant.succeed(*check).code for check in checks] == [0, 0]
    check_accesses(polyant, "whatsapp.md", WhatsAppChannel.info)
    polyant.succeed("channels", "disconnect", "demo-bot", "whatsapp")
    assert (whatsapp.callbacks["phone_number"], secrets(polyant)) == ("", [])
