"""Failures: pages say what failed, keep what was typed, and never do something else on the second try."""

import re
from typing import Any

import pytest
from litestar import Router
from litestar.routes import HTTPRoute

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instances import Slug
from polyant.http.panel.routes import panel_routes
from support.app import App, serving
from support.management import PASSWORD
from support.panel import Browser, read

HINT = "Start PostgreSQL at db.internal"
NO_DATA = {"/create", "/import", "/account", "/status"}
"""The pages that show nothing from the database, or show its outage themselves."""
FORMS = [
    "/instances/demo-bot/settings",
    "/instances/demo-bot/access",
    "/instances/demo-bot/prompts",
    "/instances/demo-bot/prompts/preview",
    "/instances/demo-bot/key",
    "/instances/demo-bot/key/revoke",
    "/instances/demo-bot/secrets",
    "/instances/demo-bot/secrets/crm_token",
    "/instances/demo-bot/secrets/crm_token/remove",
    "/instances/demo-bot/enable",
    "/instances/demo-bot/disable",
]


async def fail(*_: object, **__: object) -> Any:
    raise StorageUnavailableError(hint=HINT)


@pytest.mark.parametrize("path", FORMS)
async def test_form_of_a_deleted_instance_keeps_what_was_typed(app: App, browser: Browser, path: str) -> None:
    await app.repo.delete(Slug("demo-bot"))
    response = await browser.post(path, {"identity": "typed", "secret.value": "hidden"})
    assert response.status == 404
    assert read(response).values["identity"] == "typed"
    assert b"hidden" not in response.body.replace(b'type="hidden"', b"")


async def test_form_of_a_deleted_user_keeps_what_was_typed(browser: Browser) -> None:
    response = await browser.post("/users/00000000-0000-0000-0000-000000000000", {"email": "typed@example.com"})
    assert response.status == 404
    assert read(response).values["email"] == "typed@example.com"


@pytest.mark.parametrize("path", [*FORMS, "/instances/demo-bot/delete", "/create", "/users", "/account/password"])
async def test_form_keeps_what_was_typed_while_the_database_is_unavailable(
    app: App, browser: Browser, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.management.sessions, "user_of", fail)
    response = await browser.post(path, {"identity": "typed", "secret.value": "hidden"})
    assert response.status == 503
    assert "The storage is unavailable" in read(response).text
    assert HINT not in read(response).text
    assert read(response).values["identity"] == "typed"
    assert b"hidden" not in response.body.replace(b'type="hidden"', b"")


async def test_error_shows_its_hint_once(app: App, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.repo, "list", fail)
    response = await browser.get("/instances")
    assert response.status == 503
    assert read(response).text.count(HINT) == 1


async def test_second_try_without_its_secret_saves_nothing(
    app: App, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"replaces": "", "secret.own": "a key of somebody's own".replace(" ", "-")}
    with monkeypatch.context() as patched:
        patched.setattr(app.management.sessions, "user_of", fail)
        failed = read(await browser.post("/instances/demo-bot/key", form))
    again = await browser.post("/instances/demo-bot/key", failed.values)
    assert again.status == 200
    assert "Nothing is saved yet" in read(again).text
    stored = await app.repo.get(Slug("demo-bot"))
    assert stored is not None
    assert not stored.has_auth_key


async def test_second_try_without_secrets_saves(app: App, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(app.management.sessions, "user_of", fail)
        failed = read(await browser.post("/instances/demo-bot/disable", {"reason": "holiday"}))
    assert (await browser.post("/instances/demo-bot/disable", failed.values)).status == 303
    stored = await app.repo.get(Slug("demo-bot"))
    assert stored is not None
    assert not stored.is_active


async def test_second_try_of_a_sign_in_asks_for_the_password(
    app: App, anybody: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.management.add_user(password=PASSWORD)
    with monkeypatch.context() as patched:
        patched.setattr(app.management.users, "find", fail)
        failed = await anybody.sign_in()
    assert failed.status == 503
    again = await anybody.post("/login", read(failed).values)
    assert again.status == 200
    assert read(again).values == {"next": "/instances", "email": "ada@example.com", "secret.password": ""}


async def test_too_large_form_is_refused_on_a_page_like_any_other() -> None:
    async with serving(panel=True, max_body_bytes=1_024) as app:
        await app.management.add_user(password=PASSWORD)
        browser = Browser(app)
        for _ in range(2):
            response = await browser.post("/instances/demo-bot/prompts", {"identity": "x" * 2_000})
            assert response.status == 413
            assert "That is too large" in read(response).text
            assert response.header("cache-control") == "no-store"
            assert response.header("content-security-policy")
            await browser.sign_in()


async def test_key_of_the_callers_is_not_said_to_be_removed(app: App, browser: Browser) -> None:
    await app.add("bot", key="sk-0123456789abcdef")
    page = "/instances/bot/secrets/auth_api_key/remove"
    assert (await browser.get(page)).header("location") == "/instances/bot/settings#secrets"
    assert (await browser.post(page, {})).header("location") == "/instances/bot/settings#secrets"
    stored = await app.repo.get(Slug("bot"))
    assert stored is not None
    assert stored.has_auth_key


def routes_of(method: str) -> list[str]:
    """Returns the paths of all pages with that method, for `demo-bot`."""
    values = {
        "slug": "demo-bot",
        "name": "crm",
        "user_id": "0" * 32,
        "number": "1",
        "channel": "fake",
        "conversation": "0" * 32,
    }
    found = set[str]()
    pages = panel_routes()[0]
    assert isinstance(pages, Router)
    for route in pages.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            if method in handler.http_methods:
                found.add(re.sub(r"\{(\w+):str\}", lambda match: values.get(match[1], "telegram"), route.path))
    return sorted(found - {"/", "/login"})


@pytest.mark.parametrize("path", routes_of("GET"))
async def test_page_says_that_the_database_is_unavailable(
    app: App, browser: Browser, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the session can still be read, which a page of a cached session could."""
    for store in (app.repo, app.management.users, app.management.audit_log, app.management.turn_log):
        for method in ("get", "list", "activity", "figures", "changes_since"):
            if hasattr(store, method):
                monkeypatch.setattr(store, method, fail)
    response = await browser.get(path)
    if response.status == 303:  # it shows nothing itself
        assert response.header("location")
    elif path in NO_DATA:
        assert response.status == 200
    else:
        assert (response.status, "The storage is unavailable" in read(response).text) == (503, True)


@pytest.mark.parametrize("path", routes_of("POST"))
async def test_every_form_is_kept_while_the_database_is_unavailable(
    app: App, browser: Browser, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.management.sessions, "user_of", fail)
    response = await browser.post(path, {"identity": "typed", "secret.value": "hidden"})
    assert (response.status, read(response).values["identity"]) == (503, "typed")
