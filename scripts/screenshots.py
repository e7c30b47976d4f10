"""Pictures of the admin panel for the documentation: `just screenshots`.

A server with made-up assistants runs on a temporary database. Chromium must be installed, and a font such as DejaVu.
"""

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
from playwright.sync_api import BrowserContext, Page, sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images" / "panel"
EMAIL = "ada@example.com"
DESK = "/instances/support-bot"
PAGES: Mapping[str, str] = {
    "sign-in": "/login",
    "instances": "/instances",
    "create": "/create",
    "overview": DESK,
    "settings": f"{DESK}/settings",
    "options": f"{DESK}/options/openai",
    "prompts": f"{DESK}/prompts",
    "tools": f"{DESK}/tools",
    "skills": f"{DESK}/skills",
    "channels": f"{DESK}/channels",
    "channel": f"{DESK}/channels/telegram",
    "conversations": f"{DESK}/conversations",
    "history": f"{DESK}/history",
    "playground": f"{DESK}/playground",
    "audit": "/audit",
    "users": "/users",
    "status": "/status",
}
"""The name of each picture, and the path of its page."""

_VIEWS: Mapping[str, dict[str, object]] = {
    "": {"viewport": {"width": 1280, "height": 800}},
    "-dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "-narrow": {"viewport": {"width": 360, "height": 740}},
}
_ASSISTANTS = (
    ("support-bot", "Support Bot", "Answers customers about orders and returns."),
    ("release-notes", "Release Notes Writer", "Turns commit messages into release notes."),
    ("sql-explainer", "SQL Explainer", "Explains queries to new colleagues."),
)


def main() -> None:
    """Writes the pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    password = secrets.token_urlsafe()
    with _server(password) as url, sync_playwright() as playwright:
        _fill(url, password)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for suffix, view in _VIEWS.items():
            context = browser.new_context(base_url=url, **view)  # type: ignore[arg-type] # the options are Playwright's
            _take(context, password, suffix)
            context.close()
        browser.close()
    print(f"Saved {len(PAGES) * len(_VIEWS)} pictures to docs/images/panel")


@contextlib.contextmanager
def _server(password: str) -> Iterator[str]:
    """Yields the URL of a server with an empty database."""
    with tempfile.TemporaryDirectory(prefix="polyant-screenshots-") as home:
        environ = {
            "PATH": os.environ["PATH"],
            "POLYANT_HOME": home,
            "PANEL": "on",
            "RATE_LIMIT": "off",
            "INITIAL_ADMIN_EMAIL": EMAIL,
            "INITIAL_ADMIN_PASSWORD": password,
        }
        command = (sys.executable, "-m", "polyant", "serve", "--port", "0")
        output, log = subprocess.PIPE, subprocess.DEVNULL
        server = subprocess.Popen(command, env=environ, stdout=output, stderr=log, text=True)  # noqa: S603 - our own
        with server:
            assert server.stdout is not None  # noqa: S101 - narrows the type of a pipe that was asked for
            try:
                yield next(found[1] for line in server.stdout if (found := re.search(r"Base URL +(\S+)/v1", line)))
            finally:
                server.terminate()


def _fill(url: str, password: str) -> None:
    """Creates assistants over the management API, and calls one of them."""
    with httpx.Client(base_url=url, timeout=30) as client:
        login = client.post("/api/auth/login", json={"email": EMAIL, "password": password})
        client.headers["Authorization"] = f"Bearer {login.json()['token']}"
        for slug, name, description in _ASSISTANTS:
            body = {"slug": slug, "name": name, "description": description, "issueKey": True}
            key = client.post("/api/instances", json=body).raise_for_status().json()["key"]
            client.patch(f"/api/instances/{slug}", json={"conversations": True}).raise_for_status()
            _call(client, slug, key)
        client.patch("/api/instances/support-bot/tools", json={"enabled": ["current_time", "calculate"]})
        sections = [{"key": "06-memory", "content": "Returns are free within 30 days."}]
        client.patch("/api/instances/support-bot/prompts", json={"sections": sections}).raise_for_status()
        skill = {"description": "Use it when a customer returns something.", "instructions": "Ask for the order."}
        client.put("/api/instances/support-bot/skills/returns", json=skill).raise_for_status()
        client.delete("/api/instances/demo-bot").raise_for_status()


def _call(client: httpx.Client, slug: str, key: str) -> None:
    messages = [{"role": "user", "content": "Where is my order 20418?"}]
    body = {"model": slug, "chat_id": "order-20418", "user": "customer-7", "messages": messages}
    client.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}).raise_for_status()


def _take(context: BrowserContext, password: str, suffix: str) -> None:
    """Writes the pictures of all pages in one view."""
    page = context.new_page()
    for name, path in PAGES.items():
        page.goto(path)
        if name == "playground":
            _chat(page)
        page.wait_for_load_state("networkidle")
        is_whole = name != "prompts"
        if is_whole:
            _release_bars(page)
        page.screenshot(path=IMAGES / f"{name}{suffix}.png", full_page=is_whole)
        if name == "sign-in":
            _sign_in(page, password)


def _sign_in(page: Page, password: str) -> None:
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/instances")


def _release_bars(page: Page) -> None:
    """Moves bars from the window's edge to their place, where they cover nothing in a picture of the whole page."""
    page.evaluate("document.querySelectorAll('.save').forEach((bar) => { bar.style.position = 'static'; })")


def _chat(page: Page) -> None:
    page.get_by_label("Message", exact=True).fill("Where is my order 20418?")
    page.keyboard.press("Enter")
    page.locator(".figures").wait_for()


if __name__ == "__main__":
    main()
