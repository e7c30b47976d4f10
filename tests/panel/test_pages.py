"""Every page in all states: accessible in light and dark, without sideways scrolling at 360 px, and small."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from panel.conftest import Open
from polyant.http.panel.pages import STATIC
from support.images import png

AXE = Path(__file__).parent.parent / "clients" / "node" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = (
    *(
        "/instances",
        "/instances?search=nothing",
        "/create",
        "/import",
        "/create?from=demo-bot",
        "/audit",
        "/users",
        "/status",
        "/account",
    ),
    *(
        f"/instances/demo-bot{tab}"
        for tab in ("", "/settings", "/prompts", "/tools", "/skills", "/channels", "/playground", "/history", "/audit")
    ),
    *("/instances/demo-bot/conversations", "/instances/demo-bot/conversations?search=nothing"),
    *(f"/instances/demo-bot/channels/{channel}" for channel in ("telegram", "slack", "whatsapp")),
    *("/instances/demo-bot/options/openai", "/instances/demo-bot/options/gearbox"),
    *("/instances/demo-bot/delete", "/instances/demo-bot/key/revoke"),
    *("/instances/demo-bot/secrets/crm_token", "/instances/nobody"),
)
MAX_PAGE_BYTES = 20_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_page_has_no_accessibility_violation(open_page: Open, path: str, scheme: str) -> None:
    page = open_page(path, color_scheme=scheme)
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_states_have_no_accessibility_violation(open_page: Open, scheme: str) -> None:
    page = open_page("/create", color_scheme=scheme)
    page.get_by_label("Name", exact=True).fill("x")
    page.get_by_label("Slug").fill("No Slug")
    page.get_by_role("button", name="Create instance").click()
    assert page.get_by_role("alert").count() == 1
    assert violations(page) == []
    page.goto("/instances/demo-bot?done=enabled")
    assert violations(page) == []
    page.goto("/instances/demo-bot/playground")
    page.get_by_label("Message", exact=True).fill("Hello!")
    page.keyboard.press("Enter")
    page.locator(".figures").wait_for()
    assert violations(page) == []
    page.context.clear_cookies()
    page.goto("/login")
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_states_of_mcp_servers_have_no_accessibility_violation(open_page: Open, scheme: str) -> None:
    page, name = open_page("/instances/demo-bot/tools", color_scheme=scheme), f"down-{scheme}"
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("URL", exact=True).fill("http://127.0.0.1:9/mcp")
    page.get_by_role("button", name="Test and add").click()
    assert "No connection to 127.0.0.1:9." in page.get_by_role("alert").inner_text()
    assert violations(page) == []
    page.get_by_label("Header 1").fill("Authorization")
    page.get_by_label("Secret 1").fill("crm_token")
    page.get_by_role("button", name="Add without testing").click()
    page.get_by_text("Can’t be used").first.wait_for()
    assert violations(page) == []
    page.get_by_role("link", name=f"Edit {name}").click()
    page.get_by_role("button", name="Test connection").click()
    page.get_by_text("The test failed").wait_for()
    assert violations(page) == []
    page.goto(f"/instances/demo-bot/mcp/{name}/remove")
    assert violations(page) == []
    page.get_by_role("button", name="Remove now").click()


@pytest.mark.parametrize(
    "options", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"java_script_enabled": False}]
)
def test_options_are_edited_in_accessible_fields(open_page: Open, options: dict[str, object]) -> None:
    path = "/instances/demo-bot/options/gearbox"
    page = open_page(path, **options)
    page.get_by_label("size").fill("12")
    page.get_by_label("labels").fill("{")
    page.get_by_label("effort").select_option("high")
    page.get_by_role("button", name="Save options").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved: 2 things to correct")
    expect(page.get_by_label("effort")).to_have_value("high")
    if options.get("java_script_enabled", True):
        expect(page.get_by_role("alert")).to_be_focused()
        assert violations(page) == []
    page.get_by_label("size").fill("4")
    page.get_by_label("labels").fill('{"team": "blue"}')
    page.get_by_role("button", name="Save options").click()
    expect(page.get_by_role("status").first).to_contain_text("Options saved.")
    page.get_by_role("link", name="Options of gearbox").click()
    expect(page.get_by_label("size")).to_have_value("4")
    page.get_by_role("button", name="Remove these options").click()
    expect(page.get_by_role("status").first).to_contain_text("Options removed.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_states_of_an_unreachable_provider_lead_to_its_fix(open_page: Open, scheme: str) -> None:
    page, path = open_page("/create", color_scheme=scheme), f"/instances/away-{scheme}"
    page.get_by_label("Name", exact=True).fill(f"Away {scheme}")
    page.get_by_role("radio", name="OpenAI").check()
    page.get_by_label("The provider’s API key").fill("provider-key-0123456789")
    page.get_by_text("Model, base URL, temperature").click()
    page.get_by_role("textbox", name="Base URL").fill("http://127.0.0.1:9/v1")
    page.get_by_role("button", name="Create instance").click()
    expect(page.locator("#base-url")).to_have_text(re.compile("/v1$"))
    expect(page.locator("#model-id")).to_have_text(f"away-{scheme}")
    assert violations(page) == []
    page.goto(f"{path}/playground")
    page.get_by_role("link", name="allow images").click()
    page.get_by_label("Images").select_option("on")
    page.get_by_role("button", name="Save settings").click()
    page.goto(f"{path}/playground")
    page.locator("#image").set_input_files({"name": "dot.png", "mimeType": "image/png", "buffer": png()})
    page.get_by_role("button", name="Remove dot.png").wait_for()
    assert violations(page) == []
    page.get_by_label("Message", exact=True).fill("Hello!")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("link", name="Check provider and key").wait_for()
    assert violations(page) == []
    page.get_by_role("link", name="Check provider and key").click()
    page.get_by_role("textbox", name="Base URL").fill("http://127.0.0.1:19/v1")
    page.get_by_role("button", name="Save settings").click()
    expect(page.get_by_role("status")).to_contain_text("enter the key for the new one")
    expect(page.get_by_label("Value")).to_be_focused()
    assert violations(page) == []


@pytest.mark.parametrize("path", ["/instances/demo-bot/settings", "/instances/demo-bot/channels/telegram"])
def test_labels_and_inputs_of_pairs_align(open_page: Open, path: str) -> None:
    page = open_page(path, viewport={"width": 1280, "height": 800})
    fields = page.locator(".pair > .field:has(label)")
    assert fields.count() > 1
    boxes = fields.evaluate_all(
        "fields => fields.map(field => [field, field.querySelector('label'), field.lastElementChild]"
        ".map(part => Math.round(part.getBoundingClientRect().top)))"
    )
    aligned: dict[int, set[tuple[int, int]]] = {}
    for row, label, control in boxes:
        aligned.setdefault(row, set()).add((label, control))
    assert [rows for rows in aligned.values() if len(rows) > 1] == []


def violations(page: Page) -> list[str]:
    """Returns the rules that a page violates, with the first place of each."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]


@pytest.mark.parametrize("path", PAGES)
def test_page_fits_360_pixels(open_page: Open, path: str) -> None:
    page = open_page(path, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(
    "options", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"java_script_enabled": False}]
)
def test_tabs_are_one_button_on_a_phone(open_page: Open, options: dict[str, object]) -> None:
    page = open_page("/instances/demo-bot/history", viewport={"width": 360, "height": 740}, **options)
    button, tabs = page.get_by_role("button", name="Pages of Demo Bot: History"), page.locator("#tabs")
    expect(tabs).to_be_hidden()
    button.click()
    expect(tabs.get_by_role("link")).to_have_count(10)
    expect(tabs.get_by_role("link", name="History")).to_be_in_viewport()
    if options.get("java_script_enabled", True):
        assert violations(page) == []
    page.keyboard.press("Escape")
    expect(tabs).to_be_hidden()
    button.press("Enter")
    tabs.get_by_role("link", name="Tools").click()
    expect(page.get_by_role("button", name="Pages of Demo Bot: Tools")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.get_by_role("button", name="Pages of Demo Bot")).to_be_hidden()
    expect(tabs.get_by_role("link", name="Tools")).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
def test_page_is_small(open_page: Open, path: str) -> None:
    page = open_page(path)
    assert len(page.content().encode()) <= MAX_PAGE_BYTES


def test_static_files_are_small() -> None:
    sizes = {file.name: file.stat().st_size for file in STATIC.iterdir()}
    assert sizes["panel.css"] <= 20_000
    assert sum(size for name, size in sizes.items() if name.endswith(".js")) <= 15_000
