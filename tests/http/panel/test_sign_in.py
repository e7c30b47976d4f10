"""Signing in and out, and the return to a form after a session's end."""

import pytest

from polyant.domain.instances import Slug
from support.api import Api
from support.app import App, serving
from support.management import PASSWORD
from support.panel import FORM, ORIGIN, Browser, location, read

GUESS = {"email": "ada@example.com", "secret.password": "wrong", "next": "/audit"}


async def test_sign_in_leads_to_the_page_that_was_asked_for(anybody: Browser, app: App) -> None:
    await app.management.add_user(password=PASSWORD)
    assert location(await anybody.get("/instances?search=bot")) == "/login?next=/instances%3Fsearch%3Dbot"
    form = (await anybody.page("/login?next=/instances%3Fsearch%3Dbot")).values
    assert form == {"next": "/instances?search=bot", "email": "", "secret.password": ""}
    filled = {**form, "email": "ada@example.com", "secret.password": PASSWORD}
    assert location(await anybody.post("/login", filled)) == "/instances?search=bot"
    assert "Instances" in (await anybody.page("/instances")).text
    assert location(await anybody.get("/login?next=/audit")) == "/audit"


async def test_wrong_password_keeps_the_address(browser: Browser) -> None:
    response = await browser.post("/login", GUESS)
    assert response.status == 400
    assert read(response).values == {"next": "/audit", "email": "ada@example.com", "secret.password": ""}
    assert "Wrong email or password." in read(response).text
    assert b"wrong" not in response.body.replace(b"Wrong", b"")


async def test_too_many_attempts_say_when_to_try_again(browser: Browser) -> None:
    responses = [await browser.post("/login", GUESS) for _ in range(6)]
    assert responses[-1].status == 429
    seconds = responses[-1].header("retry-after")
    assert f"Too many attempts. Try again in {seconds} seconds." in read(responses[-1]).text
    assert "wrong" not in read(responses[-1]).text


async def test_logins_of_panel_and_api_are_counted_together_before_the_body_is_read(anybody: Browser, app: App) -> None:
    for number in range(10):
        assert (await anybody.post("/login", {**GUESS, "email": f"{number}@example.com"})).status == 400
        login = {"email": f"{number}@api.example.com", "password": "wrong"}
        assert (await Api(app, None).post("/auth/login", login)).status == 401
    headers = {"content-type": FORM, "host": "panel.example", "origin": ORIGIN}
    assert (await app.start("POST", "/login", headers=headers, complete=False).whole()).status == 429
    assert (await Api(app, None).post("/auth/login", {"email": "a", "password": "b"})).status == 429


async def test_nobody_can_lock_out_a_user_who_signed_in_from_the_same_address(browser: Browser, app: App) -> None:
    for number in range(40):
        login = {"email": "ada@example.com", "password": "wrong"}
        await Api(app, None).post("/auth/login", login, client=f"2001:db8:0:{number}::1")
    assert location(await browser.sign_in()) == "/instances"


async def test_stale_cookie_keeps_nobody_from_signing_in_over_the_limit_of_bad_credentials(
    browser: Browser, app: App
) -> None:
    for _ in range(31):
        await Api(app, "guess").get("/auth/me")
    browser.cookie = "polyant_session=stale"
    assert (await browser.get("/instances")).status == 429
    assert (await browser.get("/login")).status == 200
    assert location(await browser.sign_in()) == "/instances"


async def test_sign_out_ends_the_session(browser: Browser) -> None:
    cookie = browser.cookie
    assert location(await browser.post("/logout", {})) == "/login?done=signed-out"
    assert browser.cookie is None
    assert "You are signed out." in (await browser.page("/login?done=signed-out")).text
    browser.cookie = cookie
    assert location(await browser.get("/instances")) == "/login?next=/instances"


@pytest.mark.parametrize(
    "target",
    [
        *("https://evil.example/", "//evil.example/instances", "javascript:alert(1)"),
        *("/\\evil.example", "/instances\\x"),
        *("/login", "/api/instances", "/v1/models", "", "//[", "/instances\n", "/instancesx"),
    ],
)
async def test_sign_in_leads_only_to_pages_of_the_panel(browser: Browser, target: str) -> None:
    fields = {"email": "ada@example.com", "secret.password": PASSWORD, "next": target}
    assert location(await browser.post("/login", fields)) == "/instances"


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "https://panel.example", "http://panel.example:81"]
)
@pytest.mark.parametrize("path", ["/login", "/logout"])
async def test_forms_of_other_origins_are_refused_before_anything_else(
    browser: Browser, path: str, origin: str | None
) -> None:
    response = await browser.post(path, GUESS, origin=origin)
    assert response.status == 403
    assert "You may not do this" in read(response).text
    assert (await browser.get("/instances")).status == 200


async def test_forms_of_other_sites_are_refused(browser: Browser) -> None:
    assert (await browser.post("/logout", {}, **{"sec-fetch-site": "same-site"})).status == 403


async def test_public_url_is_an_own_origin() -> None:
    async with serving(panel=True, public_url="https://bots.example.com") as app:
        await app.management.add_user(password=PASSWORD)
        browser = Browser(app)
        form = {"email": "ada@example.com", "secret.password": PASSWORD, "next": "/instances"}
        assert location(await browser.post("/login", form, origin="https://bots.example.com")) == "/instances"


async def test_stale_cookie_leads_to_the_sign_in_page(browser: Browser) -> None:
    browser.cookie = "polyant_session=stale"
    assert location(await browser.get("/instances")) == "/login?next=/instances"
    assert (await browser.get("/login")).status == 200


async def test_pages_have_the_headers_of_pages(browser: Browser) -> None:
    for response in (await browser.get("/instances"), await browser.post("/logout", {}, origin=None)):
        assert response.header("cache-control") == "no-store"
        assert response.header("referrer-policy") == "same-origin"
        policy = response.header("content-security-policy")
        assert policy is not None
        assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} <= {
            *policy.split("; ")
        }


async def test_panel_that_is_off_serves_nothing() -> None:
    async with serving(panel=False) as app:
        browser = Browser(app)
        for path in ("/", "/login", "/instances", "/panel/panel.css"):
            assert (await browser.get(path)).status == 404


async def test_static_files_may_be_kept(browser: Browser) -> None:
    page = (await browser.get("/login")).body.decode() + (await browser.get("/instances")).body.decode()
    _, _, rest = page.partition('href="/panel/panel.css')
    response = await browser.get("/panel/panel.css" + rest.partition('"')[0])
    assert response.header("content-type") == "text/css; charset=utf-8"
    assert response.header("cache-control") == "max-age=31536000, public, immutable"


async def test_instances_are_listed_searched_and_paged(app: App, browser: Browser) -> None:
    for number in range(26):
        await app.add(f"bot-{number:02}", key="sk-0123456789abcdef" if number else None)
    first = await browser.page("/instances")
    assert "1–25 of 27" in first.text  # demo-bot is the oldest
    assert "/instances?page=2" in first.links
    second = await browser.page("/instances?page=2")
    assert "26–27 of 27" in second.text
    found = await browser.page("/instances?search=bot-07")
    assert [link for link in found.links if link.startswith("/instances/") and link.count("/") == 2] == [
        "/instances/bot-07"
    ]
    assert "Nothing found for “<b>”" in (await browser.page("/instances?search=%3Cb%3E")).text
    assert "Nothing found" in (await browser.page("/instances?status=disabled")).text


async def test_server_without_instances_says_how_to_begin(app: App, browser: Browser) -> None:
    await app.repo.delete(Slug("demo-bot"))
    assert "Make your first instance" in (await browser.page("/instances")).text


async def test_sign_in_over_a_live_session_ends_it(app: App, browser: Browser) -> None:
    old = browser.cookie
    assert (await browser.sign_in()).status == 303
    new, browser.cookie = browser.cookie, old
    assert (await browser.get("/instances")).status == 303
    browser.cookie = new
    assert (await browser.get("/instances")).status == 200


async def test_refused_sign_in_over_a_live_session_keeps_it(browser: Browser) -> None:
    assert (await browser.sign_in(password="another password")).status == 400
    assert (await browser.get("/instances")).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        [(f"f{number}", "x") for number in range(1_995)],
        [("identity", "&" * 9_000), ("soul", "x")],
    ],
    ids=["fields", "bytes"],
)
async def test_form_that_is_too_large_to_be_kept_says_how_to_save_it(fields: list[tuple[str, str]]) -> None:
    """As a draft, such a form would exceed the limits of a form."""
    async with serving(panel=True, max_body_bytes=32_768) as app:
        browser = Browser(app)
        answer = await browser.post("/instances/demo-bot/prompts", fields)
        page = read(answer)
        assert (answer.status, "too long to be kept" in page.text) == (401, True)
        assert not [name for name in page.values if name.startswith("draft.")]


async def test_form_below_the_limits_is_kept(app: App) -> None:
    await app.management.add_user(password=PASSWORD)
    browser = Browser(app)
    fields = [(f"f{number}", "x") for number in range(1_990)] + [("02-soul", "Typed.")]
    page = read(await browser.post("/instances/demo-bot/prompts", fields))
    again = await browser.post("/login", page.values | {"email": "ada@example.com", "secret.password": PASSWORD})
    assert (again.status, read(again).values["02-soul"]) == (200, "Typed.")
