"""Unknown paths and wrong methods: pages for browsers, JSON for programs, and the APIs as without the panel."""

import subprocess
import sys

import pytest

from support.app import App, serving
from support.panel import Browser

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


async def ask(app: App, path: str, *, method: str = "GET", accept: str = BROWSER) -> tuple[int, str, str, bytes]:
    """Returns the status, the media type, the caching and the body."""
    response = await app.request(method, path, headers={"host": "panel.example", "accept": accept})
    return (
        response.status,
        response.header("content-type") or "",
        response.header("cache-control") or "",
        response.body,
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("GET", "/instances/demo-bot/nothing"),
        ("GET", "/panel/nothing.css"),
        ("GET", "/panel/../secret"),
        ("DELETE", "/instances"),
        ("PUT", "/login"),
        ("GET", "/v1x"),
    ],
)
async def test_browser_gets_a_page(app: App, method: str, path: str) -> None:
    status, media_type, caching, body = await ask(app, path, method=method)
    assert (status, media_type, caching) == (404, "text/html; charset=utf-8", "no-store")
    assert b"There is nothing here" in body


async def test_page_has_the_headers_of_every_page(app: App) -> None:
    response = await app.request("GET", "/nothing", headers={"host": "panel.example", "accept": BROWSER})
    assert "frame-ancestors 'none'" in (response.header("content-security-policy") or "")
    assert response.header("referrer-policy") == "same-origin"


@pytest.mark.parametrize("path", ["/nothing", "/panel/nothing.css"])
async def test_program_gets_json_that_is_not_cached(app: App, path: str) -> None:
    status, media_type, caching, body = await ask(app, path, accept="*/*")
    assert (status, media_type, caching) == (404, "application/json", "no-store")
    assert body.startswith(b'{"statusCode":404')


@pytest.mark.parametrize("path", ["/v1/nothing", "/api/nothing", "/health/nothing", "/v1", "/docs/nothing"])
async def test_apis_are_as_without_the_panel(app: App, path: str) -> None:
    async with serving(panel=False) as bare:
        assert await ask(app, path) == await ask(bare, path)


async def test_server_without_the_panel_answers_in_json() -> None:
    async with serving(panel=False) as bare:
        status, media_type, _, _ = await ask(bare, "/instances")
        assert (status, media_type) == (404, "application/json")


async def test_hostile_path_is_shown_as_text(app: App) -> None:
    _, _, _, body = await ask(app, "/<script>alert(1)</script>")
    assert b"<script>alert" not in body


async def test_signed_in_browser_finds_its_way_back(browser: Browser) -> None:
    response = await browser.get("/panel")
    assert response.status == 404


@pytest.mark.parametrize(("panel", "imported"), [("False", False), ("True", True)])
def test_panel_is_imported_only_if_it_is_on(panel: str, *, imported: bool) -> None:
    code = (
        "import sys; from polyant.http.app import HttpSettings, build_app; "
        f"build_app(HttpSettings(panel={panel}), lambda: None); "
        "print(any(name.startswith('polyant.http.panel') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(imported)
