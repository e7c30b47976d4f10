"""Every page in all states: accessible in light and dark, without sideways scrolling at 360 px, and small."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from panel.conftest import Open
from polyant.http.panel.pages import STATIC

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
    *("/instances/demo-bot/delete", "/instances/demo-bot/channels/telegram", "/instances/demo-bot/key/revoke"),
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


def violations(page: Page) -> list[str]:
    """Returns the rules that a page violates, with the first place of each."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]


@pytest.mark.parametrize("path", PAGES)
def test_page_fits_360_pixels(open_page: Open, path: str) -> None:
    page = open_page(path, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("path", PAGES)
def test_page_is_small(open_page: Open, path: str) -> None:
    page = open_page(path)
    assert len(page.content().encode()) <= MAX_PAGE_BYTES


def test_static_files_are_small() -> None:
    sizes = {file.name: file.stat().st_size for file in STATIC.iterdir()}
    assert sizes["panel.css"] <= 20_000
    assert sum(size for name, size in sizes.items() if name.endswith(".js")) <= 15_000
