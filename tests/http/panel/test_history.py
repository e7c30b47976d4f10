"""The history of prompts and settings: the list, what a restore would change, the restore and the deletion."""

from typing import Any

import pytest

from polyant.domain.instance_states import MAX_STATES
from polyant.domain.instances import Instance, Slug
from polyant.domain.prompts import SectionKey
from polyant.domain.users import Role
from support.app import App
from support.management import PASSWORD
from support.panel import Browser, location, read

BOT = "/instances/bot"
HISTORY = f"{BOT}/history"
ATTACK = "</textarea><img src=x onerror=alert(1)>{{7*7}}</del><script>alert(1)</script>"


@pytest.fixture(autouse=True)
async def bot(app: App, browser: Browser) -> None:
    await browser.post("/create", {"name": "Bot", "slug": "bot", "provider": "vendor", "auth": "on"})
    assert await load(app) is not None


async def load(app: App) -> Instance:
    stored = await app.management.repo.get(Slug("bot"))
    assert stored is not None
    return stored


async def save(browser: Browser, tab: str, **fields: str) -> None:
    """Saves a form of the instance with these fields changed."""
    values = (await browser.page(f"{BOT}/{tab}")).values
    given = {name.replace("_0", "0"): value for name, value in fields.items()}
    assert "done" in location(await browser.post(f"{BOT}/{tab}", {**values, **given}))


async def newest(browser: Browser) -> str:
    """Returns the path of the latest state."""
    page = await browser.page(HISTORY)
    return next(link for link in page.links if link.startswith(f"{HISTORY}/"))


async def restore(browser: Browser, path: str, **fields: Any) -> Any:
    form = (await browser.page(f"{path}/restore")).values
    return await browser.post(f"{path}/restore", {**form, **fields})


async def test_new_instance_has_no_states(browser: Browser) -> None:
    assert "No earlier states yet." in (await browser.page(HISTORY)).text


async def test_states_are_listed_with_author_and_change(browser: Browser) -> None:
    await save(browser, "settings", name="Susie", temperature="0.5")
    await browser.post(f"{BOT}/prompts", {**(await browser.page(f"{BOT}/prompts")).values, "02-soul": "Kind."})
    text = " ".join((await browser.page(HISTORY)).text.split())
    assert "ada@example.com Soul" in text or "ada@example.comSoul" in text.replace(" ", "")
    assert "Name, Temperature" in text
    assert text.index("Soul") < text.index("Name, Temperature")


async def test_state_shows_what_a_restore_would_change(browser: Browser) -> None:
    prompts = (await browser.page(f"{BOT}/prompts")).values
    await browser.post(f"{BOT}/prompts", {**prompts, "02-soul": "You are kind and brief."})
    prompts = (await browser.page(f"{BOT}/prompts")).values
    await browser.post(f"{BOT}/prompts", {**prompts, "02-soul": "You are rude and brief."})
    body = (await browser.get(await newest(browser))).body.decode()
    assert "You are <del>rude</del><ins>kind</ins> and brief." in body
    assert "<h3" in body
    assert body.count("<h3") == 1


async def test_restored_state_is_saved_and_can_be_undone(app: App, browser: Browser) -> None:
    await save(browser, "settings", name="Susie")
    state = await newest(browser)
    assert "This changes: Name." in (await browser.page(f"{state}/restore")).text
    assert location(await restore(browser, state)) == f"{HISTORY}?done=restored"
    assert (await load(app)).name == "Bot"
    assert "The earlier state is saved again." in (await browser.page(f"{HISTORY}?done=restored")).text
    assert "This state equals the present one." in (await browser.page(state)).text
    await restore(browser, await newest(browser))
    assert (await load(app)).name == "Susie"


async def test_restore_after_somebody_else_saved_is_a_conflict(app: App, browser: Browser) -> None:
    await save(browser, "settings", name="Susie")
    state = await newest(browser)
    form = (await browser.page(f"{state}/restore")).values
    await save(browser, "settings", temperature="0.5")
    before = await load(app)
    refused = await browser.post(f"{state}/restore", form)
    assert refused.status == 409
    page = read(refused)
    assert "Somebody else saved prompts or settings meanwhile" in page.text
    assert "This changes: Name, Temperature." in page.text
    assert await load(app) == before
    location(await browser.post(f"{state}/restore", page.values))
    assert (await load(app)).name == "Bot"


async def test_unrelated_change_is_no_conflict(app: App, browser: Browser) -> None:
    await save(browser, "settings", name="Susie")
    state = await newest(browser)
    form = (await browser.page(f"{state}/restore")).values
    await browser.post(f"{BOT}/disable", {})
    location(await browser.post(f"{state}/restore", form))
    assert ((await load(app)).name, (await load(app)).is_active) == ("Bot", False)


async def test_only_superadmins_restore_internal_addresses(app: App, browser: Browser) -> None:
    await save(browser, "settings", base_url="http://10.0.0.7/v1")
    await save(browser, "settings", base_url="")
    state = await newest(browser)
    user = Browser(app)
    await app.management.add_user("ben@example.com", role=Role.USER, password=PASSWORD)
    await user.sign_in("ben@example.com")
    before = await load(app)
    refused = await restore(user, state)
    assert refused.status == 400
    assert "Only a superadmin can set the address http://10.0.0.7/v1" in read(refused).text
    assert await load(app) == before
    location(await restore(browser, state))
    assert (await load(app)).base_url == "http://10.0.0.7/v1"


async def test_restore_names_a_key_to_enter_again(browser: Browser) -> None:
    await save(browser, "settings", base_url="https://llm.example/v1")
    await browser.post(f"{BOT}/secrets/vendor_api_key", {"secret.value": "hidden-value"})
    state = await newest(browser)
    assert "The provider key was entered for another address." in (await browser.page(f"{state}/restore")).text
    assert b"hidden-value" not in (await browser.get(state)).body


async def test_deleted_state_is_gone(browser: Browser) -> None:
    await save(browser, "settings", name="Susie")
    state = await newest(browser)
    assert "The instance stays as it is." in (await browser.page(f"{state}/delete")).text
    for _ in range(2):
        assert location(await browser.post(f"{state}/delete", {})) == f"{HISTORY}?done=state-deleted"
    assert (await browser.get(state)).status == 404
    assert "No earlier states yet." in (await browser.page(HISTORY)).text


async def test_draft_restores_and_deletes_nothing(app: App, browser: Browser) -> None:
    await save(browser, "settings", name="Susie")
    state = await newest(browser)
    before = await load(app)
    for deed in ("restore", "delete"):
        response = await browser.post(f"{state}/{deed}", {"draft": "1"})
        assert response.status == 200
        assert "You’re signed in again." in read(response).text
    assert await load(app) == before
    assert (await browser.get(state)).status == 200


@pytest.mark.parametrize("number", ["99", "0", "x", "%3Cscript%3E"])
async def test_unknown_state_is_not_found(browser: Browser, number: str) -> None:
    for response in (
        await browser.get(f"{HISTORY}/{number}"),
        await browser.get(f"{HISTORY}/{number}/restore"),
        await browser.get(f"{HISTORY}/{number}/delete"),
        await browser.post(f"{HISTORY}/{number}/restore", {}),
    ):
        assert response.status == 404
        assert b"<script>" not in response.body


async def test_restored_address_asks_for_its_key(browser: Browser) -> None:
    for address in ("one", "two"):
        await save(browser, "settings", base_url=f"https://{address}.example/v1")
    state, secret = await newest(browser), f"{BOT}/secrets/vendor_api_key"
    await browser.post(secret, {"secret.value": "vendor-key-0123456789"})
    assert location(await restore(browser, state)) == f"{secret}?done=restored-key"
    told = (await browser.get(f"{secret}?done=restored-key")).body.decode()
    assert "The stored key is for another address" in told
    assert 'class="banner warn lead"' in told


async def test_form_of_another_origin_is_refused(app: App, browser: Browser) -> None:
    await save(browser, "settings", name="Susie")
    state = await newest(browser)
    form = (await browser.page(f"{state}/restore")).values
    for deed in ("restore", "delete"):
        assert (await browser.post(f"{state}/{deed}", form, origin="http://evil.example")).status == 403
    assert (await load(app)).name == "Susie"
    assert (await browser.get(state)).status == 200


async def test_markup_in_texts_is_escaped(browser: Browser) -> None:
    await save(browser, "settings", name=ATTACK[:128], description=ATTACK)
    prompts = (await browser.page(f"{BOT}/prompts")).values
    await browser.post(f"{BOT}/prompts", {**prompts, "02-soul": ATTACK})
    await save(browser, "settings", name="Plain", description="")
    await browser.post(f"{BOT}/prompts", {**(await browser.page(f"{BOT}/prompts")).values, "02-soul": "Plain"})
    paths = [link for link in (await browser.page(HISTORY)).links if link.startswith(f"{HISTORY}/")]
    assert len(paths) == 4
    for path in (HISTORY, *paths, f"{paths[0]}/restore", f"{paths[0]}/delete"):
        body = (await browser.get(path)).body.decode()
        assert "<script>alert" not in body
        assert "<img" not in body
        assert "</textarea>" not in body
        assert "49&#34;" not in body  # the product would be followed by the quote
    assert "&lt;script&gt;" in (await browser.get(paths[0])).body.decode()


async def test_long_history_has_pages_of_at_most_20_kb(browser: Browser) -> None:
    for number in range(MAX_STATES):
        await save(browser, "settings", description=f"Version {number}")
    first = await browser.get(HISTORY)
    assert len(first.body) <= 20_000
    assert "1–25 of 100" in read(first).text
    assert "76–100 of 100" in (await browser.page(f"{HISTORY}?page=4")).text


async def test_page_of_long_different_texts_is_bounded(browser: Browser) -> None:
    for word in ("a", "b&"):
        await save(browser, "prompts", **dict.fromkeys(SectionKey, f"{word} " * 10000))
    response = await browser.get(await newest(browser))
    assert (response.status, len(response.body) < 400_000) == (200, True)
    assert response.body.count("…".encode()) >= len(SectionKey)
