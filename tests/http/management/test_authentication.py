"""Authentication: each route with every kind of session, and cross-site requests with the cookie."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator

import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from polyant.domain.instances import Slug
from polyant.domain.users import Role, User
from polyant.http.app import describe
from polyant.http.auth import SESSION_COOKIE, session_cookie_name
from polyant.http.edge import Edge
from support.api import Api
from support.app import App, serving
from support.envelopes import assert_refused
from support.management import PASSWORD
from support.sessions import AUTH_SECRET, session_token

OPEN = ("POST", "/auth/login")


PATHS = describe().document["paths"]


def routes() -> Iterator[tuple[str, str]]:
    """Yields every route of the management API, with values for its parameters."""
    for path, methods in PATHS.items():
        for method in methods if path.startswith("/api/") else ():
            filled = path.replace("{slug}", "bot").replace("{user_id}", "0" * 32).replace("{key}", "crm_token")
            filled = filled.replace("{name}", "crm").replace("{number}", "1")
            yield method.upper(), filled.removeprefix("/api")


ROUTES = sorted(set(routes()) - {OPEN})
WRITES = [(method, path) for method, path in ROUTES if method != "GET" and not path.startswith("/users")]
USERS_ROUTES = [route for route in ROUTES if route[1].startswith("/users")]


def test_routes_match_the_specification() -> None:
    assert len(ROUTES) == 61
    assert {path.split("/")[1] for _, path in ROUTES} == {
        *("auth", "me", "instances", "import", "tools", "providers", "options", "users", "audit", "attention")
    }


async def test_all_served_routes_are_tested(app: App) -> None:
    """The document that lists them is the only additional public route."""
    assert isinstance(app.asgi, Edge)
    litestar = app.asgi._app
    assert isinstance(litestar, Litestar)
    served = {
        (method, route.path_format)
        for route in litestar.routes
        if isinstance(route, HTTPRoute) and route.path_format.startswith("/api")
        for method in {*route.route_handler_map} - {"OPTIONS"}
    }
    described = {(method.upper(), path) for path in PATHS for method in PATHS[path] if path.startswith("/api")}
    assert served == described | {("GET", "/api/openapi.json")}


async def test_every_route_rejects_requests_without_a_session(app: App) -> None:
    for method, path in ROUTES:
        assert_refused(await Api(app, None)(method, path), 401, "Missing authentication")


def tampered(token: str, **claims: str) -> str:
    """Returns the token with other claims and the old signature."""
    head, payload, signature = token.split(".")
    changed = msgspec.json.decode(urlsafe_b64decode(f"{payload}==")) | claims
    return f"{head}.{urlsafe_b64encode(msgspec.json.encode(changed)).decode().rstrip('=')}.{signature}"


BAD_TOKENS = {
    "expired": session_token(exp=1),
    "unsigned": session_token(secret="", algorithm="none"),
    "of another secret": session_token(secret="another secret of the tests, as long"),
    "for another audience": session_token(aud="somebody else"),
    "from another issuer": session_token(iss="somebody else"),
    "without an id": session_token(jti=None),
    "tampered with": tampered(session_token(), sub="user-2"),
    "truncated": session_token()[:-1],
    "of another algorithm": session_token(secret=AUTH_SECRET * 2, algorithm="HS512"),
    "an instance's key": "sk-of-the-locked-bot",
    "rubbish": "rubbish",
    "of an ended session": session_token(jti="ended"),
    "of another user's session": session_token(sub="user-2"),
}


@pytest.mark.parametrize("what", BAD_TOKENS)
async def test_every_route_rejects_a_token_that_is(app: App, what: str) -> None:
    await app.add("locked-bot", key="sk-of-the-locked-bot")
    for number, (method, path) in enumerate(ROUTES):
        response = await Api(app, BAD_TOKENS[what])(method, path, client=f"203.0.113.{number}")
        assert_refused(response, 401, "Invalid or expired session")


async def test_every_route_accepts_a_session_and_only_user_routes_require_a_superadmin(app: App, api: Api) -> None:
    for method, path in sorted(ROUTES, key=lambda route: route == ("POST", "/auth/logout")):
        response = await api(method, path)
        if (method, path) in USERS_ROUTES:
            assert_refused(response, 403, "Only a superadmin may manage users")
        else:  # depends on the empty body or the missing secret
            assert response.status in {200, 201, 400, 404}, (method, path, response.body)


async def test_superadmins_can_manage_users(admin: Api) -> None:
    statuses = {route: (await admin(*route)).status for route in USERS_ROUTES}
    assert set(statuses.values()) == {200, 400, 404}, statuses


@pytest.mark.parametrize("path", ["/nothing", "/users/1/2/3", ""])
async def test_unknown_paths_and_methods_are_404_without_a_session(app: App, path: str) -> None:
    anybody = Api(app, None)
    assert_refused(await anybody.get(path), 404, f"Cannot GET /api{path}")
    assert_refused(await anybody("PUT", "/instances"), 404, "Cannot PUT /api/instances")


# Immediate loss of access


@pytest.fixture
async def user(app: App) -> User:
    """One of two superadmins."""
    await app.management.add_user("other@example.com", role=Role.SUPERADMIN)
    return await app.management.add_user("eve@example.com", role=Role.SUPERADMIN)


async def test_deleted_user_loses_access_immediately(app: App, admin: Api, user: User) -> None:
    client = Api(app, await app.management.issue_token(user))
    assert (await client.get("/users")).status == 200
    await admin.succeed("DELETE", f"/users/{user.id}")
    assert (await client.get("/users")).status == 401
    models = await app.get("/v1/models", bearer=client.token)
    assert_refused(models, 401, "Invalid or expired session")


async def test_disabled_user_loses_access_immediately_and_must_log_in_again(app: App, admin: Api, user: User) -> None:
    client = Api(app, await app.management.issue_token(user))
    await admin.succeed("PATCH", f"/users/{user.id}", {"disabled": True})
    assert (await client.get("/auth/me")).status == 401
    await admin.succeed("PATCH", f"/users/{user.id}", {"disabled": False})
    assert (await client.get("/auth/me")).status == 401


async def test_demoted_user_can_no_longer_manage_users(app: App, admin: Api, user: User) -> None:
    client = Api(app, await app.management.issue_token(user))
    await admin.succeed("PATCH", f"/users/{user.id}", {"role": "user"})
    assert (await client.get("/users")).status == 403
    assert (await client.get("/auth/me")).json["user"]["role"] == "user"


async def test_user_logged_out_by_an_admin_loses_all_sessions(app: App, admin: Api, user: User) -> None:
    clients = [Api(app, await app.management.issue_token(user)) for _ in range(2)]
    assert await admin.succeed("DELETE", f"/users/{user.id}/sessions") == {"deleted": True}
    assert [(await client.get("/auth/me")).status for client in clients] == [401, 401]


# Bearer and cookie


async def test_cookie_is_accepted_but_the_bearer_token_takes_precedence(app: App, api: Api) -> None:
    anybody = Api(app, None)
    cookie = f"{SESSION_COOKIE}={api.token}"
    assert (await anybody.get("/auth/me", cookie=cookie)).status == 200
    assert (await anybody.get("/auth/me", cookie=cookie, authorization="Bearer wrong")).status == 401
    assert (await api.get("/auth/me", cookie=f"{SESSION_COOKIE}=wrong")).status == 200


OWN = {"host": "polyant.example", "origin": "http://polyant.example"}
CROSS_SITE: tuple[dict[str, str], ...] = (
    {},
    {"host": "polyant.example"},
    {**OWN, "origin": "http://evil.example"},
    {**OWN, "origin": "https://polyant.example"},
    {**OWN, "origin": "http://polyant.example:8080"},
    {**OWN, "origin": "http://polyant.example.evil.example"},
    {**OWN, "origin": "http://polyant.example@evil.example"},
    {**OWN, "origin": "null"},
    {**OWN, "origin": ""},
    {**OWN, "sec-fetch-site": "cross-site"},
    {**OWN, "sec-fetch-site": "same-site"},
    {"host": "", "origin": "http://"},
)
SAME_ORIGIN = (
    OWN,
    {**OWN, "sec-fetch-site": "same-origin"},
    {**OWN, "sec-fetch-site": "none"},
    {"host": "polyant.example:80", "origin": "http://polyant.example"},
    {"host": "POLYANT.example", "origin": "http://polyant.example"},
    {"host": "[::1]:4000", "origin": "http://[::1]:4000"},
)


@pytest.mark.parametrize("headers", CROSS_SITE)
async def test_cross_site_pages_cannot_write_with_the_cookie(app: App, api: Api, headers: dict[str, str]) -> None:
    before = await app.repo.get(Slug("bot"))
    for method, path in WRITES:
        response = await Api(app, None)(method, path, {}, cookie=f"{SESSION_COOKIE}={api.token}", **headers)
        assert response.status == 403
        assert response.json["message"].startswith("Only this server's own pages may write with the session cookie")
    assert await app.repo.get(Slug("bot")) == before


@pytest.mark.parametrize("headers", SAME_ORIGIN)
async def test_own_pages_can_write_with_the_cookie(app: App, api: Api, headers: dict[str, str]) -> None:
    cookie = f"{SESSION_COOKIE}={api.token}"
    assert (await Api(app, None).patch("/instances/bot", {"name": "B"}, cookie=cookie, **headers)).status == 200


@pytest.mark.parametrize("headers", CROSS_SITE)
async def test_cross_site_requests_can_read_with_the_cookie_and_write_with_a_bearer_token(
    app: App, api: Api, headers: dict[str, str]
) -> None:
    assert (await Api(app, None).get("/instances", cookie=f"{SESSION_COOKIE}={api.token}", **headers)).status == 200
    assert (await api.patch("/instances/bot", {"name": "B"}, **headers)).status == 200


@pytest.mark.parametrize(("hops", "proto", "good"), [(1, "https", True), (0, "https", False), (1, "http", False)])
async def test_origin_is_compared_with_the_scheme_of_a_trusted_proxy(hops: int, proto: str, *, good: bool) -> None:
    async with serving(trusted_hops=hops) as app:
        token = await app.management.add_user_token()
        headers = {"host": "polyant.example", "origin": "https://polyant.example", "x-forwarded-proto": proto}
        name = session_cookie_name(secure=(hops, proto) == (1, "https"))
        response = await Api(app, None).post("/auth/logout", cookie=f"{name}={token}", **headers)
        assert response.status == (200 if good else 403)


async def test_bad_sessions_from_one_address_are_throttled(app: App) -> None:
    guesser = Api(app, session_token(secret="another secret of the tests, as long"))
    statuses = [(await guesser.get("/auth/me")).status for _ in range(32)]
    assert statuses == [401] * 30 + [429] * 2


async def test_body_of_an_unauthenticated_request_is_not_parsed(app: App) -> None:
    assert (await Api(app, None).post("/instances", b"[" * 100_000)).status == 401


async def test_forged_tokens_cause_no_query(app: App, api: Api) -> None:
    app.management.memory.sessions = None  # type: ignore[assignment] # any query would fail
    for what, token in BAD_TOKENS.items():
        if "session" not in what:
            assert (await Api(app, token).get("/auth/me")).status == 401


async def test_session_is_valid_for_the_models_until_logout(app: App, api: Api) -> None:
    assert (await app.get("/v1/models", bearer=api.token)).status == 200
    await api.succeed("POST", "/auth/logout")
    assert_refused(await app.get("/v1/models", bearer=api.token), 401, "Invalid or expired session")


async def test_password_hash_is_never_shown(app: App, admin: Api) -> None:
    user = await app.management.add_user(password=PASSWORD)
    for path in ("/users", f"/users/{user.id}", "/auth/me", "/audit"):
        assert b"argon2" not in (await admin.get(path)).body
    assert b"argon2" not in msgspec.json.encode(repr(user))
