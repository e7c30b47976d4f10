"""Users, one's own account, and the audit trail."""

from pathlib import Path

import pytest

from polyant.domain.users import Role
from polyant.http.first_password import FirstPassword
from support.app import App, serving
from support.management import PASSWORD
from support.panel import Browser, location, read

NEW = {"email": "Grace@example.com", "secret.password": "a password of twelve", "role": "user"}


@pytest.fixture
async def user(app: App) -> Browser:
    """The browser of a user who isn't a superadmin."""
    await app.management.add_user("user@example.com", password=PASSWORD)
    browser = Browser(app)
    assert (await browser.sign_in("user@example.com")).status == 303
    return browser


async def path_of(app: App, email: str) -> str:
    (found,) = (await app.management.users.list(search=email)).users
    return f"/users/{found.id}"


async def test_new_user_can_sign_in(app: App, browser: Browser) -> None:
    assert location(await browser.post("/users", NEW)) == "/users?done=user-created"
    assert "grace@example.com" in (await browser.page("/users?done=user-created")).text
    assert (await Browser(app).sign_in("grace@example.com", NEW["secret.password"])).status == 303


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"email": "nobody"}, "email must look like name@host"),
        ({"email": "ada@example.com"}, "User 'ada@example.com' already exists"),
        ({"secret.password": "hidden"}, "A password must have 12 to"),
    ],
)
async def test_invalid_user_is_refused(browser: Browser, change: dict[str, str], error: str) -> None:
    response = await browser.post("/users", NEW | change)
    assert response.status == 400
    assert error in read(response).text
    assert read(response).values["email"] == (NEW | change)["email"]
    assert b"hidden" not in response.body.replace(b'type="hidden"', b"").replace(b"overflow: hidden", b"")


async def test_all_errors_of_a_form_are_shown_together(app: App, browser: Browser) -> None:
    invalid = {"email": "nobody", "secret.password": "short"}
    path = await path_of(app, "ada@example.com")
    for response in (await browser.post("/users", NEW | invalid), await browser.post(path, NEW | invalid)):
        assert response.status == 400
        assert "email must look like name@host" in read(response).text
        assert "A password must have 12 to" in read(response).text


async def test_user_is_edited(app: App, browser: Browser, user: Browser) -> None:
    path = await path_of(app, "user@example.com")
    form = {name: (await browser.page(path)).values[name] for name in ("email", "role", "seen")}
    changes = {"email": "renamed@example.com", "role": "superadmin", "secret.password": "another password"}
    assert location(await browser.post(path, form | changes)) == "/users?done=user"
    assert location(await user.get("/users")) == "/login?next=/users"  # the new password ended the session
    assert (await user.sign_in("renamed@example.com", "another password")).status == 303
    assert (await user.get("/users")).status == 200
    assert (await app.management.audit_entries())[-2][4] == ("email", "role", "password")
    response = await browser.post(path, form | {"email": "again@example.com"})
    assert response.status == 409
    assert "Nothing of yours was saved" in read(response).text


async def test_disabled_user_is_signed_out(app: App, browser: Browser, user: Browser) -> None:
    path = await path_of(app, "user@example.com")
    form = {name: (await browser.page(path)).values[name] for name in ("email", "role", "seen")}
    assert location(await browser.post(path, form | {"disabled": "on"})) == "/users?done=user"
    assert location(await user.get("/instances")) == "/login?next=/instances"
    assert "disabled" in (await browser.page(path)).values


async def test_last_superadmin_stays(app: App, browser: Browser) -> None:
    path = await path_of(app, "ada@example.com")
    form = {name: (await browser.page(path)).values[name] for name in ("email", "role", "seen")}
    for response in (
        await browser.post(path, form | {"role": "user"}),
        await browser.post(path, form | {"disabled": "on"}),
        await browser.post(f"{path}/delete", {}),
    ):
        assert response.status in {400, 409}
        assert "is the last active superadmin" in read(response).text


async def test_user_is_signed_out_everywhere_and_deleted(app: App, browser: Browser, user: Browser) -> None:
    path = await path_of(app, "user@example.com")
    assert location(await browser.post(f"{path}/sessions", {})) == "/users?done=sessions"
    assert location(await user.get("/instances")) == "/login?next=/instances"
    assert "Delete user@example.com?" in (await browser.page(f"{path}/delete")).text
    assert (await browser.post(f"{path}/delete", {"draft": "1"})).status == 200
    assert location(await browser.post(f"{path}/delete", {})) == "/users?done=user-deleted"
    assert (await browser.get(path)).status == 404


async def test_users_are_for_superadmins_only(app: App, user: Browser) -> None:
    path = await path_of(app, "user@example.com")
    for response in (
        *[await user.get(page) for page in ("/users", path, f"{path}/delete")],
        *[await user.post(page, NEW) for page in ("/users", path, f"{path}/delete", f"{path}/sessions")],
    ):
        assert response.status == 403
        assert "You may not do this" in read(response).text
    shown = await user.page("/instances")
    assert "/users" not in shown.links
    assert (await app.management.users.list()).total == 2


async def test_password_is_changed_with_the_current_one(app: App, browser: Browser) -> None:
    other = Browser(app)
    await other.sign_in()
    wrong = await browser.post("/account/password", {"secret.current": "wrong", "secret.new": "a new password"})
    assert wrong.status == 400
    assert "That isn’t your current password" in read(wrong).text
    short = await browser.post("/account/password", {"secret.current": PASSWORD, "secret.new": "short"})
    assert "A password must have 12 to" in read(short).text
    form = {"secret.current": PASSWORD, "secret.new": "a new password"}
    assert location(await browser.post("/account/password", form)) == "/account?done=password"
    assert (await browser.get("/account")).status == 200
    assert location(await other.get("/account")) == "/login?next=/account"
    assert (await other.sign_in(password="a new password")).status == 303


async def test_all_sessions_end(app: App, browser: Browser) -> None:
    other = Browser(app)
    await other.sign_in()
    assert location(await browser.post("/account/sessions", {})) == "/login?done=sessions"
    for each in (browser, other):
        assert location(await each.get("/account")) == "/login?next=/account"


async def test_audit_says_in_sentences_who_changed_what(browser: Browser) -> None:
    form = (await browser.page("/instances/demo-bot/settings")).values
    steps = "4" if form.get("max_steps") == "3" else "3"
    await browser.post("/instances/demo-bot/settings", form | {"model": "new", "max_steps": steps})
    await browser.post("/users", NEW)
    shown = await browser.page("/audit")
    assert "model, max steps" in shown.text
    assert "Created the user grace@example.com" in shown.text
    assert "Signed in" in shown.text
    assert "Signed in" not in (await browser.page("/audit?action=user")).text
    assert "Created the user" not in (await browser.page("/audit?instance=demo-bot")).text
    assert "No changes match." in (await browser.page("/audit?instance=No+Slug")).text
    assert "Created the user" not in (await browser.page("/instances/demo-bot/audit")).text
    assert "Changed m" in (await browser.page("/instances/demo-bot/audit")).text


async def test_role_of_a_new_user_defaults_to_user(app: App, browser: Browser) -> None:
    await browser.post("/users", {name: NEW[name] for name in ("email", "secret.password")})
    (found,) = (await app.management.users.list(search="grace")).users
    assert found.role is Role.USER


@pytest.mark.parametrize("path", ["/users", "/users/x", "/users/x/sessions", "/users/x/delete"])
async def test_forms_of_others_are_refused_before_they_are_read(app: App, user: Browser, path: str) -> None:
    refused = await user.post_body(path, b"\xff" * 10, "application/octet-stream")
    assert (refused.status, "You may not do this" in read(refused).text) == (403, True)


async def test_first_password_has_to_be_replaced(tmp_path: Path) -> None:
    file = tmp_path / "initial-admin-password"
    file.touch()
    async with serving(panel=True, first_password=FirstPassword(email="ada@example.com", file=file)) as app:
        await app.management.add_user("ada@example.com", role=Role.SUPERADMIN, password=PASSWORD)
        await app.management.add_user("bob@example.com", role=Role.SUPERADMIN, password=PASSWORD)
        bob, ada = Browser(app), Browser(app)
        await bob.sign_in("bob@example.com")
        assert "the first password" not in (await bob.page("/instances")).text
        await ada.sign_in()
        assert "You still use the first password." in (await ada.page("/instances")).text
        fields = {"secret.current": PASSWORD, "secret.new": "another long password"}
        assert (await ada.post("/account/password", fields)).status == 303
        assert "the first password" not in (await ada.page("/instances")).text
