"""/api/instances/{slug}/prompts over HTTP."""

import pytest

from polyant.domain.prompts import SectionKey, default_sections
from support.api import Api
from support.envelopes import assert_refused

PATH = "/instances/bot/prompts"
TITLES = {
    "01-identity": "Identity",
    "02-soul": "Soul",
    "03-tooling": "Tooling",
    "04-safety": "Safety",
    "05-skills": "Skills",
    "06-memory": "Memory",
    "07-user-identity": "User identity",
    "08-datetime": "Date and time",
}


async def test_eight_sections_are_shown_in_order_with_their_titles(api: Api) -> None:
    prompts = (await api.get(PATH)).json["prompts"]
    assert [list(section) for section in prompts] == [["key", "title", "content"]] * 8
    assert [(section["key"], section["title"]) for section in prompts] == [*TITLES.items()]
    assert {section["key"]: section["content"] for section in prompts} == default_sections("Bot")


async def test_given_sections_change_and_others_stay(api: Api) -> None:
    before = (await api.get(PATH)).json["prompts"]
    sections = [{"key": "02-soul", "content": "Be kind. 🐜"}, {"key": "06-memory", "content": ""}]
    after = (await api.patch(PATH, {"sections": sections})).json["prompts"]
    assert after == (await api.get(PATH)).json["prompts"]
    assert after[1] == {"key": "02-soul", "title": "Soul", "content": "Be kind. 🐜"}
    assert [now for now in after if now not in before] == [after[1]]


async def test_longest_section_is_stored_completely(api: Api) -> None:
    content = "é" * 32_768
    prompts = (await api.patch(PATH, {"sections": [{"key": "02-soul", "content": content}]})).json["prompts"]
    assert prompts[1]["content"] == content


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"key": "02-soul", "content": "x" * 32_769}, "Expected `str` of length <= 32768 - at `$.sections[1].content`"),
        ({"key": "99-soul", "content": "x"}, "Invalid enum value '99-soul' - at `$.sections[1].key`"),
        ({"key": "02-soul"}, "Object missing required field `content` - at `$.sections[1]`"),
        (
            {"key": "02-soul", "content": "\0"},
            "Section 02-soul must have at most 32768 characters and must not contain U+0000",
        ),
        ({"key": "01-identity", "content": "x"}, "Section 01-identity is given more than once"),
        (
            {"key": "02-soul", "content": "x", "title": "S"},
            "Object contains unknown field `title` - at `$.sections[1]`",
        ),
    ],
)
async def test_invalid_section_prevents_all_changes(api: Api, section: dict[str, str], message: str) -> None:
    before = (await api.get(PATH)).json
    good = {"key": "01-identity", "content": "changed"}
    assert_refused(await api.patch(PATH, {"sections": [good, section]}), 400, message)
    assert (await api.get(PATH)).json == before


async def test_preview_is_the_complete_prompt_of_the_model(api: Api) -> None:
    sections = [{"key": key, "content": ""} for key in SectionKey]
    sections[2]["content"] = " {{toolCatalog}} {{unknown}}"
    sections[7]["content"] = "It is {{datetime}}."
    await api.succeed("PATCH", PATH, {"sections": sections})
    await api.succeed("PATCH", "/instances/bot/tools", {"enabled": ["look_up"]})
    await api.succeed("PUT", "/instances/bot/secrets", {"secrets": [{"key": "crm_token", "value": "x"}]})
    prompt = (await api.get(f"{PATH}/preview")).json["prompt"]
    now = api.app.management.date_time_formatter.describe(api.app.management.clock.now())
    assert prompt == f"- look_up: Looks a customer up. {{{{unknown}}}}\n\n---\n\nIt is {now}."


async def test_preview_says_when_the_prompt_changes_more_often_than_daily(api: Api) -> None:
    assert (await api.get(f"{PATH}/preview")).json["notices"] == []
    section = {"key": "08-datetime", "content": "It is {{datetime}}."}
    await api.succeed("PATCH", PATH, {"sections": [section]})
    (notice,) = (await api.get(f"{PATH}/preview")).json["notices"]
    assert notice.startswith("Section 08-datetime contains {{datetime}}, so the prompt changes every minute")
    await api.succeed("PATCH", PATH, {"sections": [section | {"content": "Today is {{date}}."}]})
    assert (await api.get(f"{PATH}/preview")).json["notices"] == []
