"""The settings of an instance: values, errors, conflicts, and who may call."""

import pytest

from polyant.domain.instances import Slug
from polyant.http.panel.settings import LABELS
from support.app import App
from support.management import PASSWORD
from support.panel import Browser, location, read

PAGE = "/instances/demo-bot/settings"
CHANGES = {
    "name": "Helper <b>",
    "description": "Two\nlines",
    "provider": "vendor",
    "model": "large",
    "base_url": "https://models.example/v1",
    "temperature": "0.3",
    "conversations": "on",
    "history_tokens": "1000",
    "history_messages": "20",
    "transcripts": "users",
    "max_steps": "7",
    "max_tool_calls": "0",
    "image_input": "on",
    "turn_seconds": "1,200",
    "tool_seconds": "2.5",
}


async def form_of(browser: Browser, page: str = PAGE) -> dict[str, str]:
    shown = await browser.page(page)
    return {name: shown.values[name] for name in (*LABELS, "seen")}


async def test_all_fields_are_saved_and_shown_again(app: App, browser: Browser) -> None:
    before = await form_of(browser)
    form = before | CHANGES | {"turn_seconds": "1200"}
    changed = {name for name in LABELS if form[name] != before[name]}
    assert location(await browser.post(PAGE, form)) == f"{PAGE}?done=settings"
    shown = await browser.page(f"{PAGE}?done=settings")
    assert "Settings saved." in shown.text
    assert {name: shown.values[name] for name in LABELS} == {name: form[name] for name in LABELS}
    stored = await app.repo.get(Slug("demo-bot"))
    assert stored is not None
    assert (stored.name, stored.limits.max_tool_calls, stored.limits.turn_seconds) == ("Helper <b>", 0, 1200.0)
    (*_, entry) = await app.management.audit_entries()
    assert entry[:3] == ("ada@example.com", "instance.update", "demo-bot")
    assert {*entry[4]} == changed
    assert {"name", "model", "turn_seconds"} <= changed, "the instance may have a few of the values already"


async def test_audit_names_only_what_changed(app: App, browser: Browser) -> None:
    await browser.post(PAGE, await form_of(browser) | {"temperature": "1"})
    assert (await app.management.audit_entries())[-1][4] == ("temperature",)


async def test_empty_fields_restore_the_defaults(app: App, browser: Browser) -> None:
    await browser.post(PAGE, await form_of(browser) | CHANGES | {"turn_seconds": "9"})
    empty = dict.fromkeys(LABELS, "") | {"name": "Demo", "provider": "vendor", "model": "large"}
    empty |= {"conversations": "off", "transcripts": "superadmins", "image_input": "off"}
    assert location(await browser.post(PAGE, await form_of(browser) | empty)) == f"{PAGE}?done=settings"
    stored = await app.repo.get(Slug("demo-bot"))
    assert stored is not None
    assert (stored.temperature, stored.base_url, stored.limits.max_steps) == (None, None, None)
    assert (stored.history_tokens, stored.history_messages, stored.conversations) == (8_000, 100, False)


async def test_new_provider_gets_its_default_model(app: App, browser: Browser) -> None:
    saved = await browser.post(PAGE, await form_of(browser) | {"provider": "vendor"})
    key = f"{PAGE.removesuffix('settings')}secrets/vendor_api_key?done=settings-no-key"
    assert location(saved) == key
    assert "The new provider has no key yet" in (await browser.page(key)).text
    stored = await app.repo.get(Slug("demo-bot"))
    assert stored is not None
    assert (stored.provider, stored.model) == ("vendor", "small")
    await browser.post(key.partition("?")[0], {"secret.value": "vendor-key-0123456789"})
    await browser.post(PAGE, await form_of(browser) | {"provider": "scripted", "model": ""})
    again = await browser.post(PAGE, await form_of(browser) | {"provider": "vendor", "model": ""})
    assert location(again) == f"{PAGE}?done=settings"


@pytest.mark.parametrize("end", ["/chat/completions", "/messages/"])
async def test_corrected_base_url_is_told(app: App, browser: Browser, end: str) -> None:
    url = "https://one.example/v1"
    saved = location(await browser.post(PAGE, await form_of(browser) | {"base_url": url + end}))
    assert saved == f"{PAGE}?done=settings-address"
    assert "The end of the base URL was removed" in (await browser.page(saved)).text
    stored = await app.repo.get(Slug("demo-bot"))
    assert stored is not None
    assert stored.base_url == url


async def test_changed_address_asks_for_the_key_at_once(browser: Browser) -> None:
    await browser.post(PAGE, await form_of(browser) | {"provider": "vendor", "base_url": "https://one.example/v1"})
    secret = f"{PAGE.removesuffix('settings')}secrets/vendor_api_key"
    await browser.post(secret, {"secret.value": "vendor-key-0123456789"})
    form = await form_of(browser) | {"temperature": "1"}
    assert location(await browser.post(PAGE, form)) == f"{PAGE}?done=settings"
    form = await form_of(browser) | {"base_url": "https://two.example/v1"}
    assert location(await browser.post(PAGE, form)) == f"{secret}?done=settings-key"
    form = await form_of(browser) | {"base_url": "https://three.example/v1/messages"}
    assert location(await browser.post(PAGE, form)) == f"{secret}?done=settings-address-key"
    told = (await browser.get(f"{secret}?done=settings-key")).body.decode()
    assert "enter the key for the new one" in told
    assert 'class="banner warn lead"' in told
    assert 'class="banner ok lead"' in (await browser.get(f"{PAGE}?done=settings")).body.decode()


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("name", "  ", "A name is missing"),
        ("base_url", "api.example.com", "A base URL must start with"),
        ("temperature", "warm", "Temperature is a number from 0 to 2, for example 0.7"),
        ("temperature", "2.5", "Temperature is a number from 0 to 2"),
        ("max_steps", "0", "Model calls is a whole number from 1 to 100"),
        ("max_tool_calls", "1.5", "Tool calls is a whole number"),
        ("turn_seconds", "0", "The time is a number from"),
        ("tool_seconds", "nan", "The time is a number from"),
        ("turn_seconds", "1,200", "The time is a number from"),
        ("description", "x" * 2_001, "A description has at most 2,000 characters"),
        ("provider", "nobody", "Unknown provider"),
        ("conversations", "maybe", "Choose one of: on, off"),
        ("history_tokens", "99", "The number is a whole number from 100 to 1,000,000"),
        ("history_messages", "1", "The number is a whole number from 2 to 1,000"),
        ("transcripts", "", "Choose one of: superadmins, users"),
    ],
)
async def test_invalid_value_is_refused_with_everything_typed_still_there(
    app: App, browser: Browser, field: str, value: str, error: str
) -> None:
    before = await app.repo.get(Slug("demo-bot"))
    form = await form_of(browser) | {"model": "typed", field: value}
    response = await browser.post(PAGE, form)
    assert response.status == 400
    assert error in read(response).text
    assert read(response).values["model"] == "typed"
    assert await app.repo.get(Slug("demo-bot")) == before


async def test_form_with_errors_still_finds_a_conflict(browser: Browser) -> None:
    mine, theirs = await form_of(browser), await form_of(browser)
    await browser.post(PAGE, theirs | {"model": "theirs"})
    page = read(await browser.post(PAGE, mine | {"temperature": "warm"}))
    response = await browser.post(PAGE, page.values | {"temperature": "1"})
    assert response.status == 409
    assert "theirs" in read(response).text


async def test_conflict_saves_nothing_and_shows_both(app: App, browser: Browser) -> None:
    mine, theirs = await form_of(browser), await form_of(browser)
    await browser.post(PAGE, theirs | {"model": "theirs"})
    response = await browser.post(PAGE, mine | {"model": "mine", "temperature": "1"})
    assert response.status == 409
    shown = read(response)
    assert "Nothing of yours was saved and nothing of theirs was overwritten." in shown.text
    assert "theirs" in shown.text
    assert shown.values["model"] == "mine"
    stored = await app.repo.get(Slug("demo-bot"))
    assert stored is not None
    assert stored.model == "theirs"
    assert stored.temperature != 1
    again = {name: shown.values[name] for name in (*LABELS, "seen")}
    assert location(await browser.post(PAGE, again | {"overwrite": "1"})) == f"{PAGE}?done=settings"
    assert (await form_of(browser))["model"] == "mine"


async def test_change_of_another_tab_is_no_conflict(browser: Browser) -> None:
    form = await form_of(browser)
    await browser.post("/instances/demo-bot/disable", {})
    assert location(await browser.post(PAGE, form | {"model": "new"})) == f"{PAGE}?done=settings"


async def test_access_can_be_closed_only_with_a_key(app: App, browser: Browser) -> None:
    refused = await browser.post("/instances/demo-bot/access", {"auth": "on"})
    assert refused.status == 400
    assert "There is no key yet" in read(refused).text
    await app.add("bot", key="sk-0123456789abcdef")
    assert location(await browser.post("/instances/bot/access", {"auth": "off"})).startswith("/instances/bot/settings?")
    assert (await app.chat(model="bot")).status == 200
    await browser.post("/instances/bot/access", {"auth": "on"})
    assert (await app.chat(model="bot")).status == 401


async def test_only_a_superadmin_is_offered_to_let_users_read_texts(app: App, browser: Browser) -> None:
    await app.management.add_user("eve@example.com", password=PASSWORD)
    user = Browser(app)
    await user.sign_in("eve@example.com")
    option = '<option value="users"'
    assert option in (await browser.get(PAGE)).body.decode()
    assert option not in (await user.get(PAGE)).body.decode()
    refused = await user.post(PAGE, await form_of(user) | {"transcripts": "users"})
    assert (refused.status, "Only a superadmin can set transcripts to users" in read(refused).text) == (400, True)
    await browser.post(PAGE, await form_of(browser) | {"transcripts": "users"})
    assert location(await user.post(PAGE, await form_of(user) | {"model": "new"})) == f"{PAGE}?done=settings"


async def test_draft_is_shown_and_not_saved(app: App, browser: Browser) -> None:
    before = await app.repo.get(Slug("demo-bot"))
    response = await browser.post(PAGE, await form_of(browser) | {"name": "", "model": "typed", "draft": "1"})
    assert (response.status, read(response).values["model"]) == (200, "typed")
    assert "You’re signed in again." in read(response).text
    access = read(await browser.post("/instances/demo-bot/access", {"auth": "on", "draft": "1"}))
    assert (access.values["auth"], "Nothing is saved yet" in access.text) == ("on", True)
    assert await app.repo.get(Slug("demo-bot")) == before


async def test_delete_asks_for_the_slug(app: App, browser: Browser) -> None:
    refused = await browser.post("/instances/demo-bot/delete", {"confirm": "Demo bot"})
    assert refused.status == 400
    assert "That isn’t the slug. Nothing was deleted." in read(refused).text
    await browser.post("/instances/demo-bot/delete", {"confirm": "demo-bot", "draft": "1"})
    assert (await browser.get("/instances/demo-bot")).status == 200
    assert location(await browser.post("/instances/demo-bot/delete", {"confirm": "demo-bot"})) == (
        "/instances?done=deleted"
    )
    assert await app.repo.get(Slug("demo-bot")) is None
