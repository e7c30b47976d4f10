"""The tools of an instance: ticked, missing a secret, and no longer installed."""

import msgspec
import pytest

from polyant.domain.instances import Instance, Slug
from support.app import App
from support.panel import Browser, location, read

PAGE = "/instances/demo-bot/tools"


async def stored(app: App) -> Instance:
    found = await app.repo.get(Slug("demo-bot"))
    assert found is not None
    return found


async def set_tools(app: App, *tools: str) -> None:
    await app.repo.save(msgspec.structs.replace(await stored(app), tools=tools))


@pytest.fixture(autouse=True)
async def _no_tools(app: App) -> None:
    await set_tools(app)


async def seen(browser: Browser) -> str:
    return (await browser.page(PAGE)).values["seen"]


async def test_ticked_tools_are_saved_in_their_order(app: App, browser: Browser) -> None:
    await set_tools(app, "look_up")
    form = [("seen", await seen(browser)), ("tool", "calculate"), ("tool", "look_up")]
    assert location(await browser.post(PAGE, form)) == f"{PAGE}?done=tools"
    assert (await stored(app)).tools == ("look_up", "calculate")
    assert "Tools saved." in (await browser.page(f"{PAGE}?done=tools")).text
    assert (await app.management.audit_entries())[-1][4] == ("tools",)
    assert location(await browser.post(PAGE, {"seen": await seen(browser)})) == f"{PAGE}?done=tools"
    assert (await stored(app)).tools == ()


async def test_unchanged_tools_are_not_saved_again(app: App, browser: Browser) -> None:
    before = await stored(app)
    assert location(await browser.post(PAGE, {"seen": await seen(browser)})) == f"{PAGE}?done=tools"
    assert await stored(app) == before


async def test_page_names_missing_secrets_and_uninstalled_tools(app: App, browser: Browser) -> None:
    await set_tools(app, "look_up", "old_search")
    shown = await browser.page(PAGE)
    assert "Looks a customer up." in shown.text
    assert "Needs crm_token" in shown.text
    assert "/instances/demo-bot/secrets/crm_token" in shown.links
    assert "This tool was enabled earlier and isn’t installed any more." in shown.text
    form = {"seen": shown.values["seen"], "tool": "old_search"}
    assert location(await browser.post(PAGE, form)) == f"{PAGE}?done=tools"
    await browser.post(PAGE, {"seen": await seen(browser)})
    assert "old_search" not in (await browser.page(PAGE)).text


async def test_unknown_tool_is_refused_as_text(app: App, browser: Browser) -> None:
    attack = "<script>alert(1)</script>{{7*7}}"
    response = await browser.post(PAGE, {"seen": await seen(browser), "tool": attack})
    assert response.status == 400
    assert f"Unknown tool '{attack}'" in read(response).text
    assert b"<script>alert" not in response.body
    assert (await stored(app)).tools == ()


async def test_conflict_shows_both_and_saves_nothing(app: App, browser: Browser) -> None:
    old = await seen(browser)
    await set_tools(app, "look_up")
    response = await browser.post(PAGE, {"seen": old, "tool": "calculate"})
    assert response.status == 409
    shown = read(response)
    assert "Tools, as saved now" in shown.text
    assert shown.values["tool"] == "calculate"
    assert (await stored(app)).tools == ("look_up",)
    again = {"seen": shown.values["seen"], "tool": "calculate", "overwrite": "1"}
    assert location(await browser.post(PAGE, again)) == f"{PAGE}?done=tools"
    assert (await stored(app)).tools == ("calculate",)


async def test_draft_is_shown_and_not_saved(app: App, browser: Browser) -> None:
    response = await browser.post(PAGE, {"seen": await seen(browser), "tool": "calculate", "draft": "1"})
    assert (response.status, read(response).values["tool"]) == (200, "calculate")
    assert "You’re signed in again." in read(response).text
    assert (await stored(app)).tools == ()
