"""Authentication of `GET /v1/models` with keys, sessions and cookies."""

import pytest

from polyant.http.auth import SESSION_COOKIE
from support.app import App
from support.asgi import Response
from support.sessions import session_token

KEY = "sk-of-the-locked-bot"
INVALID_KEY = b'{"statusCode":401,"message":"Invalid API key","error":"Unauthorized"}'
MISSING = b'{"statusCode":401,"message":"Missing authentication","error":"Unauthorized"}'
INVALID = b'{"statusCode":401,"message":"Invalid or expired session","error":"Unauthorized"}'


async def models(app: App, **headers: str) -> Response:
    return await app.request("GET", "/v1/models", headers=headers)


@pytest.mark.parametrize("headers", [{}, {"authorization": ""}, {"authorization": "Basic x"}, {"cookie": "a=b"}])
async def test_request_without_credentials_is_rejected(app: App, headers: dict[str, str]) -> None:
    response = await models(app, **headers)
    assert (response.status, response.body) == (401, MISSING)


async def test_key_of_any_active_instance_is_valid_even_if_its_auth_is_off(app: App) -> None:
    await app.add("locked-bot", key=KEY)
    await app.add("open-bot", key="sk-of-the-open-bot", auth_enabled=False)
    for key in (KEY, "sk-of-the-open-bot"):
        assert (await models(app, authorization=f"Bearer {key}")).status == 200


async def test_key_shared_by_two_instances_is_valid_if_one_is_active(app: App) -> None:
    await app.add("off-bot", key=KEY, active=False)
    assert (await models(app, authorization=f"Bearer {KEY}")).status == 401
    await app.add("locked-bot", key=KEY)
    assert (await models(app, authorization=f"Bearer {KEY}")).status == 200


@pytest.mark.parametrize("bearer", ["wrong", "sk-of-a-disabled-bot", "\xe9", "a b", "x" * 10_000, "a.b", "a.b.c.d"])
async def test_any_other_bearer_token_is_an_invalid_key(app: App, bearer: str) -> None:
    await app.add("off-bot", key="sk-of-a-disabled-bot", active=False)
    response = await models(app, authorization=f"Bearer {bearer}")
    assert (response.status, response.body) == (401, INVALID_KEY)


@pytest.mark.parametrize("bearer", ["a.b.c", "..", session_token(exp=1), session_token(jti="ended")])
async def test_bad_bearer_token_in_the_form_of_a_session_token_is_an_invalid_session(app: App, bearer: str) -> None:
    response = await models(app, authorization=f"Bearer {bearer}")
    assert (response.status, response.body) == (401, INVALID)


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER    "])
async def test_session_is_valid_as_a_bearer_token_with_any_case_of_the_scheme(app: App, scheme: str) -> None:
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
async def test_session_cookie_is_valid_next_to_any_other_cookies(app: App, cookies: str) -> None:
    cookie = cookies.format(f"{SESSION_COOKIE}={session_token()}")
    assert (await models(app, cookie=cookie)).status == 200


@pytest.mark.parametrize("value", ["wrong", KEY, session_token(exp=1), session_token(aud="x")])
async def test_cookie_without_a_valid_session_is_invalid(app: App, value: str) -> None:
    await app.add("locked-bot", key=KEY)
    assert (await models(app, cookie=f"{SESSION_COOKIE}={value}")).body == INVALID


@pytest.mark.parametrize("cookie", [f"{SESSION_COOKIE}=", SESSION_COOKIE, f"x{SESSION_COOKIE}=y", ";;;", "\xff"])
async def test_empty_cookie_counts_as_missing(app: App, cookie: str) -> None:
    assert (await models(app, cookie=cookie)).body == MISSING


async def test_bearer_token_takes_precedence_over_the_cookie(app: App) -> None:
    good, bad = f"{SESSION_COOKIE}={session_token()}", f"{SESSION_COOKIE}=wrong"
    assert (await models(app, authorization="Bearer nope", cookie=good)).body == INVALID_KEY
    assert (await models(app, authorization=f"Bearer {session_token()}", cookie=bad)).status == 200


async def test_cookie_is_used_if_the_header_has_no_bearer_token(app: App) -> None:
    good = f"{SESSION_COOKIE}={session_token()}"
    for header in ("Basic x", "Bearer", "Bearer   ", ""):
        assert (await models(app, authorization=header, cookie=good)).status == 200
