"""/api/auth and /api/me over HTTP."""

import json
from datetime import datetime, timedelta

import msgspec
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


def cookie_in(response: Response, expected: str = SESSION_COOKIE) -> tuple[str, set[str]]:
    """Returns the value and the attributes of the session cookie, whose name must be the expected one."""
    header = response.header("set-cookie")
    assert header is not None
    (name, _, value), *attributes = [part.partition("=") for part in header.split("; ")]
    assert name == expected
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
        name = "__Host-polyant_session" if secure else "polyant_session"
        value, attributes = cookie_in(response, name)
        assert ("secure" in attributes) is secure
        headers = {"x_forwarded_proto": "https"}
        for sent, status in ((name, 200), (f"__Host-{name}".replace("__Host-__Host-", ""), 401)):
            me = await Api(app, None).get("/auth/me", cookie=f"{sent}={value}", **headers)
            assert me.status == status


@pytest.mark.parametrize(
    "change",
    [{"password": "wrong"}, {"email": "nobody@example.com"}, {"email": "no address"}, {"email": "\0", "password": ""}],
)
async def test_failed_login_has_the_same_response_for_every_reason(anybody: Api, change: dict[str, str]) -> None:
    response = await anybody.post("/auth/login", {**LOGIN, **change})
    assert_refused(response, 401, WRONG)
    assert "set-cookie" not in response.names


async def log_in(
    anybody: Api, email: str = LOGIN["email"], *, client: str = "203.0.113.7", password: str = "wrong"
) -> Response:
    return await anybody.post("/auth/login", {"email": email, "password": password}, client=client)


async def test_account_has_five_login_attempts_per_minute_from_one_network(app: App, anybody: Api) -> None:
    tries = [await log_in(anybody, email) for email in ["eve@example.com", " EVE@example.com "] * 3]
    assert [response.status for response in tries] == [401] * 5 + [429]
    assert_refused(tries[5], 429, "ThrottlerException: Too Many Requests")
    assert tries[5].header("retry-after") == "60"
    assert (await log_in(anybody, password=PASSWORD)).status == 429
    assert (await log_in(anybody, password=PASSWORD, client="203.0.113.8")).status == 200
    app.clock.advance(60)
    assert (await log_in(anybody, password=PASSWORD)).status == 200


async def test_other_spellings_of_an_address_give_no_additional_attempts(app: App, anybody: Api) -> None:
    await app.management.add_user("kim@example.com", password=PASSWORD)
    spellings = [
        "kim@example.com",
        "KIM@EXAMPLE.COM",
        "\tkim@example.com\n",
        "\u2003Kim@Example.com",
        "\u212aim@example.com",
    ]
    assert [(await log_in(anybody, email, password=PASSWORD)).status for email in spellings] == [200] * 5
    assert [(await log_in(anybody, email, password=PASSWORD)).status for email in spellings] == [429] * 5


async def test_network_has_20_logins_per_minute_for_all_accounts(app: App, anybody: Api) -> None:
    statuses = [(await log_in(anybody, f"user-{number}@example.com")).status for number in range(21)]
    assert statuses == [401] * 20 + [429]
    assert (await log_in(anybody, password=PASSWORD)).status == 429
    assert (await log_in(anybody, password=PASSWORD, client="203.0.113.8")).status == 200


@pytest.mark.parametrize(
    "addresses",
    [
        [f"2001:db8::{number:x}" for number in range(1, 7)],
        ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"] * 2,
    ],
    ids=["one /64", "mapped IPv4"],
)
async def test_addresses_of_one_network_share_its_limit(anybody: Api, addresses: list[str]) -> None:
    assert [(await log_in(anybody, client=each)).status for each in addresses] == [401] * 5 + [429]


@pytest.mark.parametrize("email", ["eve@example.com", "nobody@example.com", "no address", "x" * 320])
async def test_account_has_30_attempts_per_hour_from_all_unknown_networks(app: App, anybody: Api, email: str) -> None:
    """Whether it exists or not."""
    tries = [await log_in(anybody, email, client=f"2001:db8:0:{number:x}::1") for number in range(31)]
    assert [response.status for response in tries] == [401] * 30 + [429]
    assert tries[30].header("retry-after") == "3600"
    assert (await log_in(anybody, "other@example.com", client="2001:db8:1::1")).status == 401
    app.clock.advance(3_600)
    assert (await log_in(anybody, email, client="2001:db8:1::1")).status == 401


async def test_nobody_can_lock_out_an_account_that_logged_in_from_its_network(app: App, anybody: Api) -> None:
    assert (await log_in(anybody, password=PASSWORD)).status == 200
    for hour in range(3):
        for number in range(100):
            await log_in(anybody, client=f"2001:db8:{hour}:{number:x}::1")
        assert (await log_in(anybody, password=PASSWORD, client="198.51.100.1")).status == 429
        assert (await log_in(anybody, password=PASSWORD)).status == 200
        app.clock.advance(3_000)


async def test_network_is_known_for_30_days_after_the_last_login(app: App, anybody: Api) -> None:
    async def attack() -> None:
        for number in range(30):
            await log_in(anybody, client=f"2001:db8:0:{number:x}::1")

    assert (await log_in(anybody, password=PASSWORD)).status == 200
    for days, status in ((29, 200), (29, 200), (30, 429)):
        for clock in {id(clock): clock for clock in (app.clock, app.management.clock)}.values():
            clock.advance(days * 24 * 3_600)
        await attack()
        assert (await log_in(anybody, password=PASSWORD)).status == status


async def test_failed_login_makes_no_network_known(app: App, anybody: Api) -> None:
    for number in range(30):
        await log_in(anybody, client=f"203.0.113.{number}")
    assert (await log_in(anybody, password=PASSWORD, client="203.0.113.0")).status == 429


async def test_login_is_counted_before_its_body_is_read(anybody: Api, app: App) -> None:
    for body in (b"", b"{", b"\xff", b"[" * 4_000) * 5:
        assert (await anybody.post("/auth/login", body)).status == 400
    exchange = app.start("POST", "/api/auth/login", headers={"content-type": "application/json"}, complete=False)
    assert (await exchange.whole()).status == 429
    assert (await anybody.post("/auth/login", b"{", content_type="text/plain", client="203.0.113.8")).status == 400


async def test_body_of_a_login_has_at_most_4_kib(anybody: Api, app: App) -> None:
    padding = b" " * (4_096 - len(msgspec.json.encode(LOGIN)))
    assert (await anybody.post("/auth/login", msgspec.json.encode(LOGIN) + padding)).status == 200
    too_large = await anybody.post("/auth/login", msgspec.json.encode(LOGIN) + padding + b" ")
    assert_refused(too_large, 413, "request entity too large")
    headers = {"content-type": "application/json", "content-length": "1000000"}
    endless = app.start("POST", "/api/auth/login", body=(b" " * 3_000,) * 2, headers=headers, complete=False)
    assert (await endless.whole()).status == 413


@pytest.mark.parametrize("character", ["x", "\xe9", "\u65e5", "\U0001f511"])
async def test_every_password_that_can_be_set_can_log_in(app: App, admin: Api, character: str) -> None:
    """Even if the client escapes all other characters than ASCII."""
    length = min(1_024, 3_070 // len(json.dumps(character)[1:-1]))
    email = f"{'a' * 64}@{'b' * 250}.io"
    created = {"email": email, "password": character * (length + 1), "role": "user"}
    assert (await admin.post("/users", created)).status == 400
    assert (await admin.post("/users", {**created, "password": character * length})).status == 201
    body = json.dumps({"email": email, "password": character * length}, indent=4)
    assert (await Api(app, None).post("/auth/login", body.encode())).status == 200


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


async def test_password_changes_are_limited_to_5_per_minute_and_30_per_hour(app: App, anybody: Api) -> None:
    user = await app.management.users.find(parse_email("eve@example.com"))
    assert user is not None
    client = Api(app, await app.management.issue_token(user))
    guess = {"currentPassword": "wrong", "newPassword": "another password"}
    for hour in range(2):
        statuses = []
        for minute in range(7):
            statuses += [
                (await client.post("/me/password", guess, client=f"203.0.113.{minute}")).status for _ in range(6)
            ]
            app.clock.advance(60)
        assert statuses == ([403] * 5 + [429]) * 6 + [429] * 6, hour
        app.clock.advance(3_600 - 7 * 60)


async def test_logins_do_not_use_up_the_password_changes_of_a_logged_in_user(app: App, anybody: Api) -> None:
    client = Api(app, (await anybody.succeed("POST", "/auth/login", LOGIN))["token"])
    for number in range(40):
        await log_in(anybody, client=f"203.0.113.{number}")
    change = {"currentPassword": PASSWORD, "newPassword": "another password"}
    assert (await client.post("/me/password", change, client="198.51.100.1")).status == 200


async def test_response_to_a_failed_login_never_contains_the_password(anybody: Api) -> None:
    for body in ({**LOGIN, "password": ["a secret thing"]}, {**LOGIN, "pasword": "a secret thing"}):
        response = await anybody.post("/auth/login", body)
        assert response.status == 400
        assert b"a secret thing" not in response.body
