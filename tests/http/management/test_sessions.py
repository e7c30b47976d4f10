"""/api/auth and /api/me over HTTP."""

from datetime import datetime, timedelta

import pytest

from polyant.domain.users import parse_email
from polyant.http.auth import SESSION_COOKIE
from support.api import Api
from support.app import App, serving
from support.asgi import Response
from support.envelopes import assert_refused
from support.management import PASSWORD

LOGIN = {"email": "eve@example.com", "password": PASSWORD}
WRONG = "Wrong email address or password"


@pytest.fixture
async def anybody(app: App) -> Api:
    """A client without a session, and a user who can log in."""
    await app.management.add_user("eve@example.com", password=PASSWORD)
    return Api(app, None)


def cookie_in(response: Response) -> tuple[str, set[str]]:
    """Returns the value and the attributes of the session cookie."""
    header = response.header("set-cookie")
    assert header is not None
    (name, _, value), *attributes = [part.partition("=") for part in header.split("; ")]
    assert name == SESSION_COOKIE
    return value, {"".join(attribute).lower() for attribute in attributes}


async def test_login_returns_token_expiry_user_and_cookie(app: App, anybody: Api) -> None:
    response = await anybody.post("/auth/login", LOGIN)
    assert (response.status, list(response.json)) == (200, ["token", "expiresAt", "user"])
    assert response.json["user"]["email"] == "eve@example.com"
    assert list(response.json["user"]) == ["id", "email", "role", "disabled", "createdAt", "updatedAt"]
    expires = datetime.fromisoformat(response.json["expiresAt"])
    assert expires == app.management.clock.now() + timedelta(hours=12)
    value, attributes = cookie_in(response)
    assert value == response.json["token"]
    assert attributes == {"httponly", "max-age=43200", "path=/", "samesite=lax"}
    assert response.header("cache-control") == "no-store"


async def test_token_and_cookie_are_both_valid(app: App, anybody: Api) -> None:
    token = (await anybody.succeed("POST", "/auth/login", LOGIN))["token"]
    me = await Api(app, token).succeed("GET", "/auth/me")
    assert me["user"]["email"] == "eve@example.com"
    assert (await anybody.get("/auth/me", cookie=f"{SESSION_COOKIE}={token}")).json == me


@pytest.mark.parametrize(("hops", "secure"), [(1, True), (0, False)])
async def test_cookie_is_secure_behind_https(hops: int, *, secure: bool) -> None:
    async with serving(trusted_hops=hops) as app:
        await app.management.add_user("eve@example.com", password=PASSWORD)
        response = await Api(app, None).post("/auth/login", LOGIN, x_forwarded_proto="https")
        assert ("secure" in cookie_in(response)[1]) is secure


@pytest.mark.parametrize(
    "change",
    [{"password": "wrong"}, {"email": "nobody@example.com"}, {"email": "no address"}, {"email": "\0", "password": ""}],
)
async def test_failed_login_has_the_same_response_for_every_reason(anybody: Api, change: dict[str, str]) -> None:
    response = await anybody.post("/auth/login", {**LOGIN, **change})
    assert_refused(response, 401, WRONG)
    assert "set-cookie" not in response.names


async def test_account_has_five_login_attempts_per_minute_from_all_addresses(app: App, anybody: Api) -> None:
    tries = [
        await anybody.post("/auth/login", {**LOGIN, "email": email, "password": "wrong"}, client=f"203.0.113.{number}")
        for number, email in enumerate(["eve@example.com", " EVE@example.com "] * 3)
    ]
    assert [response.status for response in tries] == [401] * 5 + [429]
    assert_refused(tries[5], 429, "ThrottlerException: Too Many Requests")
    assert tries[5].header("retry-after") == "60"
    assert (await anybody.post("/auth/login", LOGIN, client="203.0.113.9")).status == 429
    app.clock.advance(60)
    assert (await anybody.post("/auth/login", LOGIN, client="203.0.113.9")).status == 200


async def test_other_spellings_of_an_address_give_no_additional_attempts(app: App, anybody: Api) -> None:
    await app.management.add_user("kim@example.com", password=PASSWORD)
    spellings = [
        "kim@example.com",
        "KIM@EXAMPLE.COM",
        "\tkim@example.com\n",
        "\u2003Kim@Example.com",
        "\u212aim@example.com",
    ]
    for number, email in enumerate(spellings):
        login = {"email": email, "password": PASSWORD}
        assert (await anybody.post("/auth/login", login, client=f"203.0.113.{number}")).status == 200, email
    for number, email in enumerate(spellings):
        login = {"email": email, "password": PASSWORD}
        assert (await anybody.post("/auth/login", login, client=f"203.0.113.{number}")).status == 429, email


async def test_address_has_five_login_attempts_per_minute_for_all_accounts(app: App, anybody: Api) -> None:
    names = [f"user-{number}@example.com" for number in range(6)]
    statuses = [(await anybody.post("/auth/login", {**LOGIN, "email": name})).status for name in names]
    assert statuses == [401] * 5 + [429]
    assert (await anybody.post("/auth/login", LOGIN)).status == 429
    assert (await anybody.post("/auth/login", LOGIN, client="203.0.113.8")).status == 200


async def test_logout_ends_the_session_and_deletes_the_cookie(app: App, anybody: Api) -> None:
    first, second = [Api(app, (await anybody.succeed("POST", "/auth/login", LOGIN))["token"]) for _ in range(2)]
    response = await first.post("/auth/logout")
    assert response.json == {"loggedOut": True}
    value, attributes = cookie_in(response)
    assert (value, "max-age=0" in attributes) == ('""', True)
    assert [(await client.get("/auth/me")).status for client in (first, second)] == [401, 200]


async def test_logout_of_all_sessions_ends_them_all(app: App, anybody: Api) -> None:
    first, second = [Api(app, (await anybody.succeed("POST", "/auth/login", LOGIN))["token"]) for _ in range(2)]
    await first.succeed("POST", "/auth/logout?everywhere=true")
    assert [(await client.get("/auth/me")).status for client in (first, second)] == [401, 401]


async def test_password_change_requires_the_current_password(app: App, anybody: Api) -> None:
    client = Api(app, (await anybody.succeed("POST", "/auth/login", LOGIN))["token"])
    other = Api(app, (await anybody.succeed("POST", "/auth/login", LOGIN))["token"])
    wrong = await client.post("/me/password", {"currentPassword": "wrong", "newPassword": "another password"})
    assert_refused(wrong, 403, "The current password is wrong")
    short = await client.post("/me/password", {"currentPassword": PASSWORD, "newPassword": "short"})
    assert_refused(short, 400, "Expected `str` of length >= 12 - at `$.newPassword`")
    changed = await client.post("/me/password", {"currentPassword": PASSWORD, "newPassword": "another password"})
    assert changed.json["user"]["email"] == "eve@example.com"
    assert [(await each.get("/auth/me")).status for each in (client, other)] == [200, 401]
    assert (await anybody.post("/auth/login", {**LOGIN, "password": "another password"})).status == 200


async def test_password_change_has_the_limit_of_login_attempts(app: App, anybody: Api) -> None:
    user = await app.management.users.find(parse_email("eve@example.com"))
    assert user is not None
    client = Api(app, await app.management.issue_token(user))
    guess = {"currentPassword": "wrong", "newPassword": "another password"}
    assert [(await client.post("/me/password", guess)).status for _ in range(6)] == [403] * 5 + [429]


async def test_response_to_a_failed_login_never_contains_the_password(anybody: Api) -> None:
    for body in ({**LOGIN, "password": ["a secret thing"]}, {**LOGIN, "pasword": "a secret thing"}):
        response = await anybody.post("/auth/login", body)
        assert response.status == 400
        assert b"a secret thing" not in response.body
