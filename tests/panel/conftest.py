"""A server with the panel, and a real browser; without Chromium the tests are skipped, and in CI they fail."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from support.packages import install
from support.patience import PATIENCE
from support.postgres import PostgresServer
from support.process import SECRETS, Server, serving
from support.upstream import UpstreamThread, upstream_in_thread

EMAIL, PASSWORD = "ada@example.com", "correct horse battery staple"
SETTINGS = {
    "PANEL": "on",
    "RATE_LIMIT": "off",
    "INITIAL_ADMIN_EMAIL": EMAIL,
    "INITIAL_ADMIN_PASSWORD": PASSWORD,
    **SECRETS,
}


GEARBOX = """
from typing import Annotated, Literal

import msgspec

from polyant.domain.ports.tool import Tool


class Options(msgspec.Struct, frozen=True):
    region: Annotated[str, msgspec.Meta(description="Where it computes.", max_length=20)] = "eu"
    size: Annotated[int, msgspec.Meta(ge=1, le=9)] = 3
    share: float | None = None
    effort: Literal["low", "high"] = "low"
    cached: bool = False
    labels: dict[str, str] = {}
    prefix: Annotated[str, msgspec.Meta(max_length=1_000)] = ""


class Arguments(msgspec.Struct, frozen=True):
    pass


class GearboxTool(Tool):
    name, description, secrets = "gearbox", "Changes gears.", ()
    arguments, options = Arguments, Options

    async def run(self, arguments, context):
        return ""
"""
"""The module of a tool with an option for each kind of field."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser. Its event loop runs while it is open, so it is closed before other files' coroutines run."""
    program = shutil.which("chromium")
    if program is None:
        message = "chromium is not installed on this machine"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    expect.set_options(timeout=PATIENCE * 1_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def upstream() -> Iterator[UpstreamThread]:
    with upstream_in_thread() as thread:
        yield thread


@pytest.fixture(scope="module")
def server(upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on SQLite whose openai instances call the scripted provider."""
    keys = {"OPENAI_API_KEY": "upstream-key-0123456789", "PROVIDER_HOSTS": upstream.upstream.url}
    packages = tmp_path_factory.mktemp("packages")
    install(packages, "acme-gearbox", GEARBOX, [("tool", "gearbox", "GearboxTool")])
    tools = {"PYTHONPATH": str(packages), "POLYANT_TOOLS": "gearbox"}
    with serving(tmp_path_factory.mktemp("panel"), **SETTINGS, **keys, **tools) as server:
        yield server


@pytest.fixture(scope="module")
def session(server: Server, chromium: Browser) -> object:
    """The cookies of a signed-in superadmin, shared because sign-ins are limited."""
    context = chromium.new_context()
    page = context.new_page()
    sign_in(page, server.url)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database; the browser's event loop runs, so PostgreSQL is emptied in another thread."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/polyant.db"
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    yield postgres.url_of("test")
    with ThreadPoolExecutor(1) as threads:
        threads.submit(lambda: asyncio.run(postgres.empty())).result()


Open = Callable[..., Page]


@pytest.fixture
def open_page(server: Server, chromium: Browser, session: object) -> Iterator[Open]:
    """Opens a page of the panel, signed in, in a context with the given options."""
    contexts: list[BrowserContext] = []

    def open_page(path: str, **options: object) -> Page:
        page = new_page(chromium, contexts, server.url, storage_state=session, **options)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()


def new_page(chromium: Browser, contexts: list[BrowserContext], url: str, **options: object) -> Page:
    """Returns a page of a new context, in which scripts of others and console errors fail the test."""
    context = chromium.new_context(base_url=url, **options)  # type: ignore[arg-type] # the options are Playwright's
    context.set_default_timeout(PATIENCE * 1_000)
    contexts.append(context)
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"script error: {error}"))
    return page


def sign_in(page: Page, url: str, *, email: str = EMAIL, password: str = PASSWORD) -> None:
    """Signs in through the form."""
    page.goto(f"{url}/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/instances")


@contextmanager
def serving_panel(folder: Path, **variables: str) -> Iterator[Server]:
    """Yields a server of its own with the panel."""
    with serving(folder, **SETTINGS | variables) as server:
        yield server
