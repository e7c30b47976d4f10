"""/api/instances/{slug}/skills over HTTP."""

import pytest

from support.api import Api
from support.app import App
from support.envelopes import assert_refused

PATH = "/instances/bot/skills"
RETURNS = {
    "description": "How returns work",
    "instructions": "# Returns\n",
    "files": [{"path": "prices.md", "content": "1 EUR"}, {"path": "run.py", "content": "print()"}],
}


async def test_skill_is_stored_listed_read_and_deleted(api: Api) -> None:
    assert (await api.get(PATH)).json == {"skills": []}
    stored = await api.put(f"{PATH}/returns", RETURNS)
    expected = {
        "name": "returns",
        "description": "How returns work",
        "size": 22,
        "instructions": "# Returns\n",
        "files": [
            {"path": "prices.md", "content": "1 EUR", "script": False},
            {"path": "run.py", "content": "print()", "script": True},
        ],
    }
    assert (stored.status, stored.json, stored.header("etag")) == (200, expected, '"2"')
    assert (await api.get(f"{PATH}/returns")).json == expected
    listed = await api.get(PATH)
    assert listed.json == {"skills": [{"name": "returns", "description": "How returns work", "size": 22}]}
    assert listed.header("etag") == '"2"'
    assert (await api.delete(f"{PATH}/returns")).json == {"deleted": True}
    assert_refused(await api.get(f"{PATH}/returns"), 404, "There is no skill 'returns'")
    assert_refused(await api.delete(f"{PATH}/returns"), 404, "There is no skill 'returns'")


async def test_omitted_fields_stay(api: Api) -> None:
    await api.put(f"{PATH}/returns", RETURNS)
    changed = (await api.put(f"{PATH}/returns", {"instructions": "New."})).json
    assert (changed["instructions"], changed["description"], len(changed["files"])) == ("New.", "How returns work", 2)
    assert (await api.put(f"{PATH}/returns", {"files": []})).json["files"] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instructions": ""}, "The skill returns has no instructions"),
        ({"description": ""}, "The description of a skill must have 1 to 1,024 characters"),
        ({"description": "x" * 1_025}, "Expected `str` of length <= 1024 - at `$.description`"),
        ({"instructions": "é" * 40_000}, "SKILL.md of the skill returns has 80,000 bytes"),
        ({"files": [{"path": "../x", "content": ""}]}, "The path of a file must be relative"),
        ({"files": [{"path": "a", "content": ""}] * 2}, "The files of the skill returns must have different paths"),
        ({"files": [{"path": "a", "content": "a\0"}]}, "a of the skill returns must be text"),
        ({"name": "other"}, "Object contains unknown field `name`"),
    ],
)
async def test_invalid_skill_is_not_stored(api: Api, change: dict[str, object], message: str) -> None:
    response = await api.put(f"{PATH}/returns", {**RETURNS, **change})
    assert (response.status, response.json["message"][: len(message)]) == (400, message)
    assert (await api.get(PATH)).json == {"skills": []}


async def test_new_skill_needs_description_and_instructions(api: Api) -> None:
    assert_refused(await api.put(f"{PATH}/a", {}), 400, "The skill a is new and needs a description")
    assert (await api.put(f"{PATH}/A", RETURNS)).status == 400


async def test_unknown_instance_is_not_found(api: Api) -> None:
    assert (await api.get("/instances/nobody/skills")).status == 404
    assert (await api.put("/instances/nobody/skills/a", RETURNS)).status == 404


async def test_export_and_import_carry_skills(api: Api) -> None:
    await api.put(f"{PATH}/returns", RETURNS)
    document = (await api.get("/instances/bot/export")).json
    assert document["skills"] == [{"name": "returns", **RETURNS}]
    assert (await api.post("/import", {**document, "slug": "copy"})).status == 201
    assert (await api.get("/instances/copy/skills/returns")).json == (await api.get(f"{PATH}/returns")).json
    assert (await api.post("/import?overwrite=true", {**document, "skills": []})).status == 200
    assert (await api.get(PATH)).json == {"skills": []}


async def test_history_lists_and_restores_skills(api: Api) -> None:
    await api.put(f"{PATH}/returns", RETURNS)
    await api.delete(f"{PATH}/returns")
    (latest, first) = (await api.get("/instances/bot/history")).json["states"]
    assert (latest["changed"], first["changed"]) == (["skills.returns"], ["skills.returns"])
    content = (await api.get("/instances/bot/history/2")).json["content"]
    assert content["skills"] == [{"name": "returns", "description": "How returns work", "size": 22}]
    assert (await api.post("/instances/bot/history/2/restore")).status == 200
    assert (await api.get(f"{PATH}/returns")).json["instructions"] == "# Returns\n"


async def test_changes_are_audited_without_content(app: App, api: Api) -> None:
    await api.put(f"{PATH}/returns", RETURNS)
    await api.delete(f"{PATH}/returns")
    entries = [entry[1:] for entry in await app.management.audit_entries()][-2:]
    assert entries == [
        ("skill.set", "bot", None, ("returns",)),
        ("skill.delete", "bot", None, ("returns",)),
    ]


async def test_preview_shows_the_list(api: Api) -> None:
    await api.put(f"{PATH}/returns", RETURNS)
    prompt = (await api.get("/instances/bot/prompts/preview")).json["prompt"]
    assert "- returns: How returns work" in prompt
