"""The tab Channels: connect, check, change and disconnect; approve users; replay events."""

import pytest
from msgspec.structs import replace

from polyant.domain.audit import CLI
from polyant.domain.channel_info import AccountState, ChannelRefusedError, SetUp, TearDown
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import ChannelAccess, ChannelAccount, ChannelConnection, ChannelName, ConnectionState
from polyant.domain.instances import Slug
from polyant.domain.pairing import PairingCodes
from polyant.domain.use_cases.update_channel import ChannelChange, UpdateChannel
from polyant.testing.fake_channel import FAKE_TOKEN, FakeChannel
from support.app import App
from support.channel_events import dead_event, doubtful_send
from support.management import BROKEN_CHANNEL
from support.panel import Browser, location, read

CHANNELS = "/instances/demo-bot/channels"
FAKE = f"{CHANNELS}/fake"


async def form_of(browser: Browser) -> dict[str, str]:
    return {
        name: value for name, value in (await browser.page(FAKE)).values.items() if name not in {"", "code", "event"}
    }


async def stored(app: App) -> ChannelConnection:
    (connection,) = await app.management.connections.list()
    return connection


@pytest.fixture
async def connected(browser: Browser) -> None:
    form = await form_of(browser)
    assert location(await browser.post(FAKE, {**form, "secret.token": FAKE_TOKEN})) == f"{FAKE}?done=channel"


async def test_channel_is_connected(app: App, browser: Browser) -> None:
    page = await browser.page(CHANNELS)
    assert "Not connected" in page.text
    assert FAKE in page.links
    form = await form_of(browser)
    assert (form["access"], form["burst"], form["secret.token"]) == ("everybody", "coalesce", "")
    saved = await browser.post(FAKE, {**form, "secret.token": FAKE_TOKEN, "users": "7\r\n8"})
    assert location(saved) == f"{FAKE}?done=channel"
    connection = await stored(app)
    assert connection.users == {"7", "8"}
    page = await browser.page(f"{FAKE}?done=channel")
    assert "The channel is connected." in page.text
    assert f"https://bots.example/channels/fake/{connection.id}" in page.text
    assert FAKE_TOKEN not in (await browser.get(FAKE)).body.decode()
    assert "Connected" in (await browser.page(CHANNELS)).text


async def test_missing_token_is_an_error_and_keeps_what_was_typed(app: App, browser: Browser) -> None:
    response = await browser.post(FAKE, {**await form_of(browser), "users": "7", "burst": "enqueue"})
    page = read(response)
    assert response.status == 400
    assert "Token is missing" in page.text
    assert (page.values["users"], page.values["burst"]) == ("7", "enqueue")
    assert await app.management.connections.list() == ()


async def test_refusal_of_the_platform_is_shown(app: App, browser: Browser) -> None:
    class RefusingChannel(FakeChannel):
        async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
            raise ChannelRefusedError("Fake refuses the token")

    app.management.channel = RefusingChannel()
    response = await browser.post(FAKE, {**await form_of(browser), "secret.token": FAKE_TOKEN})
    assert (response.status, "Fake refuses the token" in read(response).text) == (400, True)
    assert FAKE_TOKEN not in response.body.decode()


@pytest.mark.parametrize("field", ["access", "burst", "ambiguous_sends", "delivery"])
async def test_unknown_choice_is_an_error(browser: Browser, field: str) -> None:
    response = await browser.post(FAKE, {**await form_of(browser), "secret.token": FAKE_TOKEN, field: "nonsense"})
    assert (response.status, "Choose one of the list" in read(response).text) == (400, True)


@pytest.mark.usefixtures("connected")
async def test_choices_are_changed_without_the_token(app: App, browser: Browser) -> None:
    form = await form_of(browser)
    assert (
        location(await browser.post(FAKE, {**form, "access": "allow-list", "burst": "interrupt"}))
        == f"{FAKE}?done=channel"
    )
    assert (await stored(app)).access is ChannelAccess.ALLOW_LIST


@pytest.mark.usefixtures("connected")
async def test_changes_of_others_are_not_overwritten(app: App, browser: Browser) -> None:
    form = await form_of(browser)
    update = await app.management.get(UpdateChannel)
    change = ChannelChange(users=frozenset({"9"}))
    await update(Slug("demo-bot"), ChannelName("fake"), change, by=CLI)
    response = await browser.post(FAKE, {**form, "users": "7"})
    assert response.status == 409
    assert "Somebody else saved this form" in read(response).text
    assert (await stored(app)).users == {"9"}
    await browser.post(FAKE, {**form, "users": "7", "overwrite": "1"})
    assert (await stored(app)).users == {"7"}


@pytest.mark.usefixtures("connected")
async def test_check_shows_the_problems(app: App, browser: Browser) -> None:
    assert "@fake is connected." in read(await browser.post(f"{FAKE}/check", {})).text
    app.management.channel.state = AccountState(account="fake-account", problems=("webhook refused: 401",))
    assert "webhook refused: 401" in read(await browser.post(f"{FAKE}/check", {})).text
    assert location(await browser.get(f"{FAKE}/check")) == FAKE


@pytest.mark.usefixtures("connected")
async def test_paused_connection_is_activated_by_saving(app: App, browser: Browser) -> None:
    await app.management.connections.save(replace(await stored(app), state=ConnectionState.PAUSED))
    assert "Paused" in (await browser.page(CHANNELS)).text
    assert "The connection is paused" in (await browser.page(FAKE)).text
    await browser.post(FAKE, await form_of(browser))
    assert (await stored(app)).is_active


@pytest.mark.usefixtures("connected")
async def test_user_is_approved(app: App, browser: Browser) -> None:
    await browser.post(FAKE, {**await form_of(browser), "access": "pairing"})
    response = await browser.post(f"{FAKE}/approve", {"code": "4711-AAAAAAAA"})
    assert (response.status, "The pairing code is wrong" in read(response).text) == (400, True)
    assert read(response).values["code"] == "4711-AAAAAAAA"
    code = await (await app.management.get(PairingCodes)).code_of((await stored(app)).id, "4711")
    draft = read(await browser.post(f"{FAKE}/approve", {"code": code, "draft": "1"}))
    assert (draft.values["code"], "Nothing is saved yet" in draft.text) == (code, True)
    assert (await stored(app)).users == set()
    assert location(await browser.post(f"{FAKE}/approve", {"code": code})) == f"{FAKE}?done=channel-user"
    assert (await stored(app)).users == {"4711"}


@pytest.mark.usefixtures("connected")
async def test_dead_letter_is_shown_and_replayed(app: App, browser: Browser) -> None:
    event = await dead_event(app.management)
    assert "couldn’t be answered" in (await browser.page(CHANNELS)).text
    page = await browser.page(FAKE)
    assert "auth" in page.text
    assert page.values["event"] == str(event)
    assert (
        location(await browser.post(f"{FAKE}/replay", {"event": str(event)})) == f"{FAKE}?done=channel-replay#letters"
    )
    for number in (str(event), "", "x", "9" * 40):
        assert location(await browser.post(f"{FAKE}/replay", {"event": number})) == f"{FAKE}#letters"


@pytest.mark.usefixtures("connected")
async def test_doubtful_send_is_shown(app: App, browser: Browser) -> None:
    assert "Doubtful sends" not in (await browser.page(FAKE)).text
    await doubtful_send(app.management)
    shown = " ".join((await browser.page(FAKE)).text.split())
    assert "Doubtful sends" in shown
    assert "sent after 2 attempts" in shown


@pytest.mark.usefixtures("connected")
async def test_channel_whose_adapter_cannot_be_loaded_is_shown_beside_others(app: App, browser: Browser) -> None:
    await app.management.enable_broken_channel()
    broken = f"{CHANNELS}/broken"
    page = await browser.page(CHANNELS)
    assert "The adapter of the channel \"broken\" can't be loaded. No module named 'acme'" in page.text
    assert FAKE in page.links
    assert broken not in page.links
    assert (await browser.get(broken)).status == 503
    assert location(await browser.post(f"{broken}/disconnect", {})) == f"{CHANNELS}?done=channel-gone"
    connection = replace(await stored(app), id="b" * 22, channel=BROKEN_CHANNEL)
    await app.management.connections.add(connection)
    assert f"{broken}/disconnect" in (await browser.page(CHANNELS)).links
    assert "Disconnect broken from" in (await browser.page(f"{broken}/disconnect")).text
    untold = location(await browser.post(f"{broken}/disconnect", {}))
    assert untold == f"{CHANNELS}?done=channel-untold"
    assert "Its platform may still call a webhook" in (await browser.page(untold)).text
    assert (await stored(app)).channel == "fake"


@pytest.mark.usefixtures("connected")
async def test_channel_that_is_no_longer_enabled_is_shown_and_disconnected(app: App, browser: Browser) -> None:
    (await app.management.get(ChannelRegistry)).names = ()
    page = await browser.page(CHANNELS)
    assert "Unknown channel. The channels are: none" in page.text
    assert f"{FAKE}/disconnect" in page.links
    await browser.post(f"{FAKE}/disconnect", {})
    assert await app.management.connections.list() == ()


@pytest.mark.usefixtures("connected")
async def test_channel_is_disconnected_after_a_question(app: App, browser: Browser) -> None:
    assert "Disconnect Fake from" in (await browser.page(f"{FAKE}/disconnect")).text
    for _ in range(2):
        assert location(await browser.post(f"{FAKE}/disconnect", {})) == f"{CHANNELS}?done=channel-gone"
    assert await app.management.connections.list() == ()
    assert location(await browser.get(f"{FAKE}/disconnect")) == FAKE


@pytest.mark.parametrize("path", [f"{CHANNELS}/icq", f"{CHANNELS}/A", f"{FAKE}/nonsense", "/instances/nobody/channels"])
async def test_unknown_pages_are_not_found(browser: Browser, path: str) -> None:
    assert (await browser.get(path)).status == 404
