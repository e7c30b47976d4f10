"""/api/users over HTTP."""

import pytest

from polyant.domain.users import Role
from support.api import Api
from support.app import App
from support.envelopes import assert_refused
from support.management import PASSWORD

NOBODY = "0" * 32


async def test_user_is_created_shown_changed_and_deleted(admin: Api) -> None:
    created = await admin.post("/users", {"email": "Eve@Example.com", "password": PASSWORD})
    assert (created.status, created.header("etag")) == (201, '"1"')
    user = created.json["user"]
    assert (user["email"], user["role"], user["disabled"]) == ("eve@example.com", "user", False)
    path = f"/users/{user['id']}"
    assert (await admin.get(path)).json == {"user": user}
    changed = await admin.patch(path, {"role": "superadmin", "email": "ev@example.com"})
    assert (changed.header("etag"), changed.json["user"]["role"]) == ('"2"', "superadmin")
    assert (await admin.delete(path)).json == {"deleted": True}
    assert_refused(await admin.get(path), 404, "Unknown user")


async def test_users_are_listed_by_address_in_pages_and_searched(app: App, admin: Api) -> None:
    for name in ("carl", "abe"):
        await app.management.add_user(f"{name}@example.com")
    page = (await admin.get("/users?limit=2&offset=1")).json
    assert [user["email"] for user in page["users"]] == ["boss@example.com", "carl@example.com"]
    assert (page["total"], page["limit"], page["offset"]) == (4, 2, 1)
    found = (await admin.get("/users?search=CARL")).json
    assert ([user["email"] for user in found["users"]], found["limit"]) == (["carl@example.com"], 50)


async def test_last_superadmin_can_t_be_removed(admin: Api) -> None:
    path = f"/users/{(await admin.get('/auth/me')).json['user']['id']}"
    why = "User 'boss@example.com' is the last active superadmin"
    assert_refused(await admin.delete(path), 409, why)
    assert_refused(await admin.patch(path, {"role": "user"}), 409, why)
    assert_refused(await admin.patch(path, {"disabled": True}), 409, why)


async def test_password_that_a_superadmin_sets_lets_in(app: App, admin: Api) -> None:
    user = await app.management.add_user("eve@example.com", role=Role.USER)
    await admin.succeed("PATCH", f"/users/{user.id}", {"password": "another password"})
    login = {"email": "eve@example.com", "password": "another password"}
    assert (await Api(app, None).post("/auth/login", login)).status == 200


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"email": "ada", "password": PASSWORD}, 400, "email must look like name@host"),
        ({"email": "eve@example.com", "password": "short"}, 400, "Expected `str` of length >= 12 - at `$.password`"),
        ({"email": "eve@example.com"}, 400, "Object missing required field `password`"),
        ({"email": "eve@example.com", "password": PASSWORD, "role": "god"}, 400, "Invalid enum value 'god'"),
        ({"email": "BOSS@example.com", "password": PASSWORD}, 409, "User 'boss@example.com' already exists"),
    ],
)
async def test_user_that_breaks_a_rule_is_not_created(
    admin: Api, body: dict[str, str], status: int, message: str
) -> None:
    response = await admin.post("/users", body)
    assert (response.status, response.json["message"].startswith(message)) == (status, True), response.body
    assert PASSWORD.encode() not in response.body


@pytest.mark.parametrize("user_id", [NOBODY, "1", "%00", "A" * 32, "0" * 33])
async def test_unknown_user_is_not_found_whatever_the_id_looks_like(admin: Api, user_id: str) -> None:
    for response in (
        await admin.get(f"/users/{user_id}"),
        await admin.patch(f"/users/{user_id}", {"disabled": True}),
        await admin.delete(f"/users/{user_id}"),
        await admin.delete(f"/users/{user_id}/sessions"),
    ):
        assert_refused(response, 404, "Unknown user")


async def test_change_is_refused_to_who_has_read_an_older_user(app: App, admin: Api) -> None:
    user = await app.management.add_user("eve@example.com")
    assert (await admin.patch(f"/users/{user.id}", {"disabled": True}, if_match='"1"')).status == 200
    response = await admin.patch(f"/users/{user.id}", {"disabled": False}, if_match='"1"')
    assert_refused(
        response, 412, "User 'eve@example.com' has changed since it was read: read it again and repeat the change"
    )
