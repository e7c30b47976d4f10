"""The tab Skills: add, edit, rename and remove a skill and its files."""

from typing import Any

import pytest

from polyant.domain.audit import CLI
from polyant.domain.instances import Slug
from polyant.domain.skills import SkillContent
from polyant.domain.use_cases.set_skill import SetSkill, SkillChange
from polyant.domain.use_cases.show_skill import ShowSkill
from support.app import App
from support.panel import Browser, location, read

SKILLS = "/instances/demo-bot/skills"
RETURNS = f"{SKILLS}/returns"
FILES = f"{RETURNS}/files"
FIELDS = {"skill_name": "returns", "skill_description": "How returns work", "instructions": "# Returns\r\nAsk.\r\n"}
ATTACK = "</textarea><script>alert(1)</script>{{7*7}}\"'><img src=x onerror=alert(1)>"


async def stored(app: App, name: str = "returns") -> SkillContent:
    return (await (await app.management.get(ShowSkill))(Slug("demo-bot"), name)).content


async def change(app: App, **fields: Any) -> None:
    """Changes the skill as somebody else."""
    set_skill = await app.management.get(SetSkill)
    await set_skill(Slug("demo-bot"), SkillChange(name="returns", **fields), by=CLI)


@pytest.fixture
async def skill(browser: Browser) -> None:
    """A skill with one file."""
    assert location(await browser.post(SKILLS, FIELDS)) == f"{SKILLS}?done=skill"
    form = await form_of(browser, FILES)
    saved = await browser.post(FILES, {**form, "file_path": "tables/prices.md", "file_content": "1 EUR"})
    assert location(saved) == f"{RETURNS}?done=skill-file"


async def form_of(browser: Browser, page: str = RETURNS) -> dict[str, str]:
    return {name: value for name, value in (await browser.page(page)).values.items() if name}


async def test_first_skill_is_added(app: App, browser: Browser) -> None:
    assert "No skills yet" in (await browser.page(SKILLS)).text
    assert location(await browser.post(SKILLS, FIELDS)) == f"{SKILLS}?done=skill"
    page = await browser.page(f"{SKILLS}?done=skill")
    assert "Skill saved. It takes effect with the next message." in page.text
    assert "How returns work" in page.text
    assert (await stored(app)).instructions == "# Returns\nAsk.\n"
    again = await browser.post(SKILLS, FIELDS)
    assert (again.status, "There is a skill called returns already" in read(again).text) == (400, True)


@pytest.mark.usefixtures("skill")
async def test_skill_is_edited_and_renamed_and_keeps_its_files(app: App, browser: Browser) -> None:
    form = await form_of(browser)
    assert form["instructions"] == "# Returns\nAsk.\n"
    saved = await browser.post(RETURNS, {**form, "skill_name": "refunds", "instructions": "New."})
    assert location(saved) == f"{SKILLS}/refunds?done=skill"
    assert [file.content for file in (await stored(app, "refunds")).files] == ["1 EUR"]
    assert (await browser.get(RETURNS)).status == 404


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"skill_name": "My skill"}, "The name of a skill must be"),
        ({"skill_description": ""}, "The description of a skill must have 1 to 1,024 characters"),
        ({"skill_description": "x" * 1_025}, "The description of a skill must have 1 to 1,024 characters"),
        ({"instructions": " \n"}, "Write what the assistant does in this case"),
        ({"instructions": "é" * 40_000}, "Instructions have at most 65,536 bytes"),
        ({"instructions": "a\0b"}, "must be text, without U+0000"),
    ],
)
async def test_invalid_fields_are_explained_and_kept(
    app: App, browser: Browser, skill: None, fields: dict[str, str], error: str
) -> None:
    for path in (SKILLS, RETURNS):
        form = {**FIELDS, "skill_name": "other"} if path == SKILLS else await form_of(browser)
        answer = await browser.post(path, form | fields)
        page = read(answer)
        assert (answer.status, error in page.text) == (400, True)
        assert {name: page.values[name] for name in fields} == fields
    assert (await stored(app)).description == "How returns work"


@pytest.mark.usefixtures("skill")
async def test_concurrent_change_is_a_conflict(app: App, browser: Browser) -> None:
    form = await form_of(browser)
    await change(app, instructions="Theirs.")
    answer = await browser.post(RETURNS, {**form, "instructions": "Mine."})
    page = read(answer)
    assert (answer.status, "Theirs." in page.text, page.values["instructions"]) == (409, True, "Mine.")
    kept = await browser.post(RETURNS, {**page.values, "overwrite": "1"})
    assert kept.status == 303
    assert (await stored(app)).instructions == "Mine."


@pytest.mark.usefixtures("skill")
async def test_unrelated_change_is_no_conflict(app: App, browser: Browser) -> None:
    form = await form_of(browser)
    await change(app, files=())
    assert (await browser.post(RETURNS, {**form, "instructions": "Mine."})).status == 303


@pytest.mark.usefixtures("skill")
async def test_file_is_edited_and_removed(app: App, browser: Browser) -> None:
    at = f"{FILES}?path=tables/prices.md"
    form = await form_of(browser, at)
    assert (form["file_path"], form["file_content"]) == ("tables/prices.md", "1 EUR")
    assert (await browser.post(FILES, {**form, "file_content": "2 EUR"})).status == 303
    conflict = await browser.post(FILES, {**form, "file_content": "3 EUR"})
    assert (conflict.status, "2 EUR" in read(conflict).text) == (409, True)
    asked = await form_of(browser, f"{FILES}/remove?path=tables/prices.md")
    assert location(await browser.post(f"{FILES}/remove", asked)) == f"{RETURNS}?done=skill-file-removed"
    assert (await stored(app)).files == ()
    assert location(await browser.post(f"{FILES}/remove", asked)) == RETURNS
    assert location(await browser.get(f"{FILES}/remove?path=tables/prices.md")) == RETURNS
    assert (await browser.get(at)).status == 404


@pytest.mark.usefixtures("skill")
@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"file_path": "../x"}, "must be relative"),
        ({"file_path": "SKILL.md"}, "holds the instructions"),
        ({"file_path": "a", "file_content": "é" * 40_000}, "A file has at most 65,536 bytes"),
        ({"file_path": "a", "file_content": "\0"}, "must be text"),
    ],
)
async def test_invalid_file_is_explained_and_kept(browser: Browser, fields: dict[str, str], error: str) -> None:
    form = await form_of(browser, FILES)
    answer = await browser.post(FILES, {**form, "file_content": "kept", **fields})
    page = read(answer)
    assert (answer.status, error in page.text) == (400, True)
    assert page.values["file_content"] == fields.get("file_content", "kept")


@pytest.mark.usefixtures("skill")
async def test_adding_a_file_under_a_used_path_is_a_conflict(browser: Browser) -> None:
    form = await form_of(browser, FILES)
    answer = await browser.post(FILES, {**form, "file_path": "tables/prices.md", "file_content": "Mine"})
    assert (answer.status, "1 EUR" in read(answer).text) == (409, True)


@pytest.mark.usefixtures("skill")
async def test_skill_is_removed_and_restored(app: App, browser: Browser) -> None:
    assert "Remove returns from" in (await browser.page(f"{RETURNS}/remove")).text
    assert location(await browser.post(f"{RETURNS}/remove", {})) == f"{SKILLS}?done=skill-removed"
    assert location(await browser.post(f"{RETURNS}/remove", {})) == f"{SKILLS}?done=skill-removed"
    assert "Skill returns" in (await browser.page("/instances/demo-bot/history")).text
    state = (await browser.page("/instances/demo-bot/history/3")).text
    assert "List of skills" in state
    assert "returns: How returns work" in state
    form = await form_of(browser, "/instances/demo-bot/history/3/restore")
    assert (await browser.post("/instances/demo-bot/history/3/restore", form)).status == 303
    assert [file.path for file in (await stored(app)).files] == ["tables/prices.md"]


@pytest.mark.usefixtures("skill")
async def test_typed_forms_survive_the_end_of_a_session(app: App, browser: Browser) -> None:
    for path, fields in (
        (SKILLS, {**FIELDS, "skill_name": "draft-name"}),
        (RETURNS, {**await form_of(browser), "instructions": "Typed."}),
        (FILES, {**await form_of(browser, FILES), "file_path": "typed.md", "file_content": "Typed."}),
    ):
        page = read(await browser.post(path, {**fields, "draft": "1"}))
        assert {name: page.values[name] for name in fields if name != "seen"} == {
            name: value.replace("\r\n", "\n") for name, value in fields.items() if name != "seen"
        }
    read(await browser.post(f"{RETURNS}/remove", {"draft": "1"}))
    read(await browser.post(f"{FILES}/remove", {"file_path": "tables/prices.md", "draft": "1"}))
    found = await stored(app)
    assert (found.instructions, len(found.files)) == ("# Returns\nAsk.\n", 1)


@pytest.mark.usefixtures("skill")
async def test_hostile_texts_are_shown_as_text(app: App, browser: Browser) -> None:
    await change(app, description=ATTACK, instructions=ATTACK)
    for path in (SKILLS, RETURNS, "/instances/demo-bot/history"):
        body = (await browser.get(path)).body.decode()
        assert "<script>alert" not in body
        assert "<img src=x" not in body
    form = await form_of(browser)
    assert (form["skill_description"], form["instructions"]) == (ATTACK, ATTACK)


@pytest.mark.parametrize("path", [RETURNS, f"{RETURNS}/remove", FILES, f"{SKILLS}/A%20b"])
async def test_unknown_skill_is_a_page(browser: Browser, path: str) -> None:
    answer = await browser.get(path)
    assert (answer.status, "There is no skill" in read(answer).text) == (404, True)
