"""The instances that need somebody, on the first page."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channels import ConnectionState
from polyant.domain.instances import Slug
from polyant.testing.fake_channel import FAKE_TOKEN
from support.api import Api
from support.app import App, serving
from support.channel_events import dead_event
from support.harness import Thinking
from support.management import PASSWORD
from support.panel import Browser

OPEN = {"name": "Open Bot", "provider": "echo"}


async def prepare(app: App, browser: Browser) -> Browser:
    """Returns the browser, signed in, on a server without instances."""
    await app.management.add_user(password=PASSWORD)
    await browser.sign_in()
    await browser.post("/instances/demo-bot/delete", {"confirm": "demo-bot"})
    return browser


async def test_troubles_lead_to_their_fixes(app: App, anybody: Browser) -> None:
    browser = await prepare(app, anybody)
    await browser.post("/create", OPEN)
    await browser.post("/create", {"name": "Helper", "provider": "vendor", "issue_key": "on"})
    shown = await browser.page("/instances")
    assert "2 instances need you" in shown.text  # the request came to an address of the network
    assert "it has no key for its provider" in " ".join(shown.text.split())
    assert {"/instances/helper/secrets/vendor_api_key", "/instances/open-bot/settings#key"} <= {*shown.links}


async def test_invalid_options_lead_to_their_form() -> None:
    declared = AdapterOptions({"echo": Thinking, "calculate": Thinking})
    async with serving(panel=True, adapter_options=declared) as app:
        browser = await prepare(app, Browser(app))
        for name, adapter in (("Model", "echo"), ("Tool", "calculate")):
            await browser.post("/create", {"name": name, "provider": "echo", "issue_key": "on"})
            stored = await app.repo.get(Slug(name.lower()))
            assert stored is not None
            await app.repo.save(replace(stored, tools=("calculate",), options={adapter: {"maxTokens": 0}}))
        shown = await browser.page("/instances")
        text = " ".join(shown.text.split())
        assert "model can’t answer: its options for echo are invalid" in text
        assert "tool has a tool that fails: its options for calculate are invalid" in text
        for link in ("/instances/model/options/echo", "/instances/tool/options/calculate"):
            assert link in shown.links
            assert "can’t answer with these options" in (await browser.page(link)).text


async def test_more_than_five_are_counted(app: App, anybody: Browser) -> None:
    browser = await prepare(app, anybody)
    for number in range(7):
        await browser.post("/create", OPEN | {"slug": f"open-{number}"})
    assert "and 2 more" in (await browser.page("/instances")).text


async def test_open_instance_on_this_machine_only_is_no_trouble() -> None:
    for exposed in (False, True):
        async with serving(panel=True, exposed=exposed) as app:
            browser = await prepare(app, Browser(app, server=("127.0.0.1", 4000), host="localhost:4000"))
            await browser.post("/create", OPEN)
            assert ("1 instance needs you" in (await browser.page("/instances")).text) is exposed


async def test_api_lists_the_same(app: App, anybody: Browser) -> None:
    browser = await prepare(app, anybody)
    await browser.post("/create", OPEN)
    api = Api(app, await app.management.issue_token(await app.management.add_user("eve@example.com")))
    expected = {"slug": "open-bot", "name": "Open Bot", "kind": "open", "secret": None} | dict.fromkeys(
        ("channel", "adapter", "since", "reason")
    )
    assert (await api.succeed("GET", "/attention"))["instances"] == [expected]


@pytest.mark.parametrize("kind", [*ProblemKind])
async def test_problem_of_a_channel_leads_to_the_channel(app: App, browser: Browser, kind: ProblemKind) -> None:
    await connect_channel(browser)
    (connection,) = await app.management.connections.list()
    await app.management.connections.set_problem(
        connection.id, kind, "<why>", at=datetime(2026, 5, 4, 10, 2, tzinfo=UTC)
    )
    page = await browser.page("/instances")
    assert {link for link in page.links if link.startswith("/instances/demo-bot/channels")}
    for path in ("/instances/demo-bot/channels", "/instances/demo-bot/channels/fake"):
        shown = " ".join((await browser.page(path)).text.split())
        assert "since 4 May 2026, 10:02:00 UTC" in shown
        assert "<why>" in shown


async def connect_channel(browser: Browser) -> None:
    fake = "/instances/demo-bot/channels/fake"
    form = {name: value for name, value in (await browser.page(fake)).values.items() if name}
    assert (await browser.post(fake, {**form, "secret.token": FAKE_TOKEN})).status == 303


async def test_paused_channel_and_dead_letters_lead_to_the_channel(app: App, browser: Browser) -> None:
    await connect_channel(browser)
    await dead_event(app.management)
    assert "/instances/demo-bot/channels/fake#letters" in (await browser.page("/instances")).links
    (connection,) = await app.management.connections.list()
    await app.management.connections.save(replace(connection, state=ConnectionState.PAUSED))
    assert "it isn’t connected here" in (await browser.page("/instances")).text
