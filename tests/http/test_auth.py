"""Who may see the models: keys, sessions, cookies."""

import pytest

from polyant.http.auth import SESSION_COOKIE
from support.app import App
from support.asgi import Response
from support.sessions import session_token

KEY = "sk-of-the-locked-bot"
MISSING = b'{"statusCode":401,"message":"Missing authentication","error":"Unauthorized"}'
INVALID = b'{"statusCode":401,"message":"Invalid or expired session","error":"Unauthorized"}'


async def models(app: App, **headers: str) -> Response:
    return await app.request("GET", "/v1/models", headers=headers)


@pytest.mark.parametrize("headers", [{}, {"authorization": ""}, {"authorization": "Basic x"}, {"cookie": "a=b"}])
async def test_no_credential_is_missing(app: App, headers: dict[str, str]) -> None:
    response = await models(app, **headers)
    assert (response.status, response.body) == (401, MISSING)


async def test_the_key_of_any_active_instance_is_good_also_where_auth_is_off(app: App) -> None:
    await app.add("locked-bot", key=KEY)
    await app.add("open-bot", key="sk-of-the-open-bot", auth_enabled=False)
    for key in (KEY, "sk-of-the-open-bot"):
        assert (await models(app, authorization=f"Bearer {key}")).status == 200


async def test_two_instances_may_share_a_key_and_one_active_is_enough(app: App) -> None:
    await app.add("off-bot", key=KEY, active=False)
    assert (await models(app, authorization=f"Bearer {KEY}")).status == 401
    await app.add("locked-bot", key=KEY)
    assert (await models(app, authorization=f"Bearer {KEY}")).status == 200


@pytest.mark.parametrize("bearer", ["wrong", "sk-of-a-disabled-bot", "\xe9", "a b", "x" * 10_000, "a.b.c"])
async def test_any_other_bearer_is_invalid(app: App, bearer: str) -> None:
    await app.add("off-bot", key="sk-of-a-disabled-bot", active=False)
    response = await models(app, authorization=f"Bearer {bearer}")
    assert (response.status, response.body) == (401, INVALID)


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER    "])
async def test_a_session_is_good_as_a_bearer_however_the_scheme_is_spelt(app: App, scheme: str) -> None:
    assert (await models(app, authorization=f"{scheme}{session_token()}  ")).status == 200


@pytest.mark.parametrize(
    "cookies",
    [
        "{}",
        "a=b; {}",
        "{}; a=b",
        "a=b;{};c=d",
        'json={{"a":1}}; {}',
        "a{{}}=b; {}",
        "=; ; noname; {}",
        'a="; {}',
        f"other_{SESSION_COOKIE}=x; {{}}",
    ],
)
async def test_a_session_is_good_as_a_cookie_whatever_other_cookies_the_host_has(app: App, cookies: str) -> None:
    cookie = cookies.format(f"{SESSION_COOKIE}={session_token()}")
    assert (await models(app, cookie=cookie)).status == 200


@pytest.mark.parametrize("value", ["wrong", KEY, session_token(exp=1), session_token(aud="x")])
async def test_a_bad_cookie_is_invalid_and_a_key_is_no_cookie(app: App, value: str) -> None:
    await app.add("locked-bot", key=KEY)
    assert (await models(app, cookie=f"{SESSION_COOKIE}={value}")).body == INVALID


@pytest.mark.parametrize("cookie", [f"{SESSION_COOKIE}=", SESSION_COOKIE, f"x{SESSION_COOKIE}=y", ";;;", "\xff"])
async def test_an_empty_cookie_is_none(app: App, cookie: str) -> None:
    assert (await models(app, cookie=cookie)).body == MISSING


async def test_a_bad_bearer_beats_a_good_cookie_and_a_good_bearer_a_bad_one(app: App) -> None:
    good, bad = f"{SESSION_COOKIE}={session_token()}", f"{SESSION_COOKIE}=wrong"
    assert (await models(app, authorization="Bearer nope", cookie=good)).body == INVALID
    assert (await models(app, authorization=f"Bearer {session_token()}", cookie=bad)).status == 200


async def test_without_a_bearer_token_the_cookie_counts_whatever_else_the_header_says(app: App) -> None:
    good = f"{SESSION_COOKIE}={session_token()}"
    for header in ("Basic x", "Bearer", "Bearer   ", ""):
        assert (await models(app, authorization=header, cookie=good)).status == 200
