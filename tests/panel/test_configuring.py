"""Journeys through the tabs of an instance: tools and an MCP server, skills, and the history with a restore."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from panel.conftest import Open
from panel.test_journeys import create
from panel.test_pages import violations
from polyant.testing.mcp_server import McpServerProcess, mcp_server_process

SKILL = "# Returns\n\nAsk for the order number."


@pytest.fixture(scope="module")
def mcp() -> Iterator[McpServerProcess]:
    with mcp_server_process() as process:
        yield process


def test_tools_and_an_mcp_server_are_enabled_tested_and_removed(open_page: Open, mcp: McpServerProcess) -> None:
    create(open_page, "equipped")
    page = open_page("/instances/equipped/tools")
    page.get_by_label("calculate", exact=True).check()
    expect(page.locator("[data-unsaved]").first).to_contain_text("Unsaved: Tools")
    page.get_by_role("button", name="Save tools").click()
    expect(page.get_by_role("status").first).to_contain_text("Tools saved.")
    expect(page.get_by_label("calculate", exact=True)).to_be_checked()

    page.get_by_label("Name", exact=True).fill("files")
    page.get_by_label("URL", exact=True).fill(mcp.at("nothing"))
    page.get_by_role("button", name="Test and add").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("Name", exact=True)).to_have_value("files")
    page.get_by_label("URL", exact=True).fill(mcp.at("full"))
    page.get_by_role("button", name="Test and add").click()
    expect(page.get_by_role("status").first).to_contain_text("The test reached it and found its tools.")

    page.get_by_role("button", name="Test connection to files").click()
    expect(page.get_by_text("add", exact=True).first).to_be_visible()
    page.get_by_label("Tools", exact=True).fill("add, nothing")
    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_role("alert")).to_contain_text("The server has no tool called nothing.")
    page.get_by_label("Tools", exact=True).fill("add")
    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_role("status").first).to_contain_text("MCP server saved.")

    page.goto("/instances/equipped/prompts")
    expect(page.locator("#preview")).to_contain_text("- files__add:")
    expect(page.locator("#preview")).to_contain_text("- calculate:")
    page.goto("/instances/equipped/tools")
    page.get_by_role("link", name="Remove files").click()
    dialog = page.get_by_role("dialog", name="Remove files from equipped?")
    expect(dialog.get_by_role("link", name="Keep it")).to_be_focused()
    dialog.get_by_role("button", name="Remove now").click()
    expect(page.get_by_role("status").first).to_contain_text("MCP server removed.")


def test_skill_is_written_renamed_and_removed(open_page: Open) -> None:
    create(open_page, "skilled")
    page = open_page("/instances/skilled/skills")
    assert violations(page) == []
    page.get_by_label("Name", exact=True).fill("returns")
    page.get_by_label("When to use it").fill("How to handle returns")
    page.get_by_label("Instructions").fill(SKILL)
    expect(page.locator("[data-unsaved]")).to_have_text("Unsaved: Name, When to use it, Instructions")
    page.get_by_role("button", name="Add skill").click()
    expect(page.get_by_role("status").first).to_contain_text("Skill saved.")
    assert violations(page) == []

    page.get_by_role("link", name="Edit returns").click()
    expect(page.get_by_label("Instructions")).to_have_value(SKILL)
    page.get_by_role("link", name="Add a file").click()
    page.get_by_label("Path").fill("scripts/check.py")
    page.get_by_label("Content").fill("print('ok')")
    assert violations(page) == []
    page.get_by_role("button", name="Save file").click()
    expect(page.get_by_text("Script: only read")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Name", exact=True).fill("refunds")
    page.get_by_role("button", name="Save skill").click()
    expect(page.get_by_role("heading", name="refunds")).to_be_visible()

    page.goto("/instances/skilled/prompts")
    expect(page.locator("#preview")).to_contain_text("- refunds: How to handle returns")
    page.goto("/instances/skilled/skills/refunds")
    page.get_by_role("link", name="Remove scripts/check.py").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove now").click()
    expect(page.get_by_text("This skill has no other files.")).to_be_visible()
    page.get_by_role("link", name="Remove this skill…").click()
    page.get_by_role("dialog", name="Remove refunds from skilled?").get_by_role("button", name="Remove now").click()
    expect(page.get_by_text("No skills yet.")).to_be_visible()


@pytest.mark.parametrize("tab", ["skills", "skills/returns", "skills/returns/files", "skills/returns/remove"])
def test_pages_of_skills_fit_360_pixels_and_are_dark(open_page: Open, tab: str) -> None:
    page = open_page("/instances/demo-bot/skills")
    if not page.get_by_role("link", name="Edit returns").count():
        page.get_by_label("Name", exact=True).fill("returns")
        page.get_by_label("When to use it").fill("How to handle returns and refunds, step by step. " * 4)
        page.get_by_label("Instructions").fill(SKILL)
        page.get_by_role("button", name="Add skill").click()
    narrow = open_page(f"/instances/demo-bot/{tab}", viewport={"width": 360, "height": 740}, color_scheme="dark")
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(narrow) == []
    assert len(narrow.content().encode()) <= 20_000


def test_earlier_state_is_compared_restored_and_deleted(open_page: Open) -> None:
    create(open_page, "dated")
    page = open_page("/instances/dated/prompts")
    for text in ("You are Ada.", "You are Bob, always kind."):
        page.get_by_label("1 · Identity").fill(text)
        page.get_by_role("button", name="Save prompts").click()
        expect(page.get_by_role("status").first).to_contain_text("Prompts saved.")
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="State 2").click()
    expect(page.locator(".diff del").first).to_contain_text("Bob,")
    expect(page.locator(".diff ins").first).to_contain_text("Ada.")
    assert violations(page) == []
    opener = page.get_by_role("link", name="Restore this state…")
    opener.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("[data-keep]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    opener.click()
    dialog.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("status").first).to_contain_text("The earlier state is saved again.")
    page.goto("/instances/dated/prompts")
    expect(page.get_by_label("1 · Identity")).to_have_value("You are Ada.")
    page.goto("/instances/dated/history/2")
    expect(page.get_by_text("This state equals the present one.")).to_be_visible()
    page.get_by_role("link", name="Delete this state…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status").first).to_contain_text("That state is deleted from the history.")
    expect(page.get_by_role("link", name="State 2")).to_have_count(0)
