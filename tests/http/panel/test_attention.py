"""The instances that need somebody, on the first page."""

from support.api import Api
from support.app import App, serving
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
    expected = {"slug": "open-bot", "name": "Open Bot", "kind": "open", "secret": None}
    assert (await api.succeed("GET", "/attention"))["instances"] == [expected]
