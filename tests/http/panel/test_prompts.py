"""The prompts of an instance: eight sections, their preview, and conflicts."""

from polyant.domain.instances import Slug
from polyant.domain.prompts import SectionKey, default_sections
from support.app import App
from support.panel import Browser, location, read

PAGE = "/instances/bot/prompts"


async def form_of(app: App, browser: Browser) -> dict[str, str]:
    if await app.repo.get(Slug("bot")) is None:
        await browser.post("/create", {"name": "Bot", "provider": "echo"})
    shown = await browser.page(PAGE)
    return {name: shown.values[name] for name in (*SectionKey, "seen")}


async def test_sections_are_shown_and_saved_as_typed(app: App, browser: Browser) -> None:
    form = await form_of(app, browser)
    assert {key: form[key] for key in SectionKey} == default_sections("Bot")
    typed = "\n  # Soul\n\nKind. \t</textarea>{{datetime}}\n"
    assert location(await browser.post(PAGE, form | {"02-soul": typed})) == f"{PAGE}?done=prompts"
    assert (await form_of(app, browser))["02-soul"] == typed
    assert (await app.management.audit_entries())[-1][1:] == ("prompts.update", "bot", None, ("02-soul",))


async def test_preview_shows_what_is_typed_and_saves_nothing(app: App, browser: Browser) -> None:
    form = await form_of(app, browser)
    response = await browser.post(f"{PAGE}/preview", form | {"02-soul": "Brave. <b>"})
    assert response.status == 200
    assert "Brave. <b>" in read(response).text
    assert "You are Bot" in read(response).text
    assert read(response).values["02-soul"] == "Brave. <b>"
    assert read(response).values["seen"] == form["seen"]
    assert (await form_of(app, browser))["02-soul"] == form["02-soul"]


async def test_too_long_section_is_refused(app: App, browser: Browser) -> None:
    form = await form_of(app, browser)
    for path in (PAGE, f"{PAGE}/preview"):
        response = await browser.post(path, form | {"02-soul": "x" * 32_769, "06-memory": "typed"})
        assert response.status == 400
        assert "Section 02-soul must have at most 32768 characters" in read(response).text
        assert read(response).values["06-memory"] == "typed"


async def test_conflict_in_any_section_saves_nothing(app: App, browser: Browser) -> None:
    mine = await form_of(app, browser)
    await browser.post(PAGE, mine | {"06-memory": "theirs"})
    response = await browser.post(PAGE, mine | {"02-soul": "mine"})
    assert response.status == 409
    shown = read(response)
    assert "6 · Memory, as saved now" in shown.text
    assert shown.values["02-soul"] == "mine"
    assert (await form_of(app, browser))["02-soul"] == mine["02-soul"]
    again = {name: shown.values[name] for name in (*SectionKey, "seen")}
    assert location(await browser.post(PAGE, again | {"overwrite": "1"})) == f"{PAGE}?done=prompts"
    assert (await form_of(app, browser))["06-memory"] == mine["06-memory"]


async def test_section_that_the_form_lacks_is_kept(app: App, browser: Browser) -> None:
    form = await form_of(app, browser)
    assert location(await browser.post(PAGE, {"seen": form["seen"], "02-soul": "Kind."})) == f"{PAGE}?done=prompts"
    assert await form_of(app, browser) | {"seen": "", "02-soul": ""} == form | {"seen": "", "02-soul": ""}


async def test_draft_is_shown_and_not_saved(app: App, browser: Browser) -> None:
    form = await form_of(app, browser)
    response = await browser.post(PAGE, form | {"02-soul": "typed", "draft": "1"})
    assert read(response).values["02-soul"] == "typed"
    assert "Nothing is saved yet" in read(response).text
    assert await form_of(app, browser) == form


async def test_preview_says_when_the_prompt_changes_every_minute(app: App, browser: Browser) -> None:
    form = await form_of(app, browser)
    notice = "the prompt changes every minute"
    assert notice not in read(await browser.post(f"{PAGE}/preview", form)).text
    typed = form | {"08-datetime": "It is {{datetime}}."}
    assert notice in read(await browser.post(f"{PAGE}/preview", typed)).text
