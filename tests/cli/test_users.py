import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from polyant.domain.users import check_password
from support.commands import Done, Polyant
from support.process import Server

PASSWORD = "correct horse battery staple"
FIELDS = ["id", "email", "role", "disabled", "createdAt", "updatedAt"]


def test_user_is_created_with_a_password_from_standard_input(polyant: Polyant, home: Path) -> None:
    done = polyant.succeed("users", "create", "Eve@Example.com", given=f"{PASSWORD}\n")
    assert done == Done(0, "Created eve@example.com.\n", "")
    created = polyant.succeed(
        "users", "create", "bob@example.com", "--role", "superadmin", "--json", given=PASSWORD
    ).json
    assert (list(created), created["email"], created["role"]) == (FIELDS, "bob@example.com", "superadmin")


def test_users_are_listed(polyant: Polyant, home: Path) -> None:
    polyant.succeed("users", "create", "eve@example.com", given=PASSWORD)
    polyant.succeed("users", "disable", "eve@example.com")
    head, admin, eve = [line.split() for line in polyant.succeed("users", "list").stdout.splitlines()]
    assert head == ["EMAIL", "ROLE", "STATE"]
    assert (admin, eve) == (["admin@localhost", "superadmin", "active"], ["eve@example.com", "user", "disabled"])
    found = polyant.succeed("users", "list", "--search", "EVE", "--json").json
    assert ([user["email"] for user in found["users"]], found["total"]) == (["eve@example.com"], 1)


def test_user_is_disabled_enabled_and_deleted(polyant: Polyant, home: Path) -> None:
    polyant.succeed("users", "create", "eve@example.com", given=PASSWORD)
    assert polyant.succeed("users", "disable", "EVE@example.com", "--json").json["disabled"] is True
    assert polyant.succeed("users", "enable", "eve@example.com").stdout == "Enabled eve@example.com.\n"
    assert polyant.succeed("users", "delete", "eve@example.com").stdout == "Deleted eve@example.com.\n"
    assert polyant("users", "delete", "eve@example.com") == Done(
        4, "", 'polyant: Unknown user "eve@example.com". Run `polyant users list` to see the existing ones\n'
    )


def test_password_is_set_from_standard_input(polyant: Polyant, home: Path) -> None:
    done = polyant.succeed("users", "set-password", "admin@localhost", given=PASSWORD)
    assert done == Done(0, "Set the password of admin@localhost.\n", "")
    shown = polyant.succeed("users", "set-password", "ADMIN@localhost", "--json", given=f"{PASSWORD}\n").json
    assert (list(shown), shown["email"]) == (FIELDS, "admin@localhost")


@pytest.mark.parametrize(
    ("arguments", "given"), [(("set-password",), "another password"), (("disable",), ""), (("delete", "--json"), "")]
)
def test_running_server_ends_the_users_sessions_immediately(
    polyant: Polyant, server: Server, arguments: tuple[str, ...], given: str
) -> None:
    email = f"{arguments[0]}@example.com"
    polyant.succeed("users", "create", email, given=PASSWORD)
    with httpx.Client(base_url=f"{server.url}/api") as client:
        assert client.post("/auth/login", json={"email": email, "password": PASSWORD}).status_code == 200
        assert client.get("/auth/me").json()["user"]["email"] == email
        polyant.succeed("users", *arguments, email, given=given)
        assert client.get("/auth/me").status_code == 401


def test_password_cannot_be_given_on_the_command_line(polyant: Polyant, home: Path) -> None:
    for arguments in (("create", "eve@example.com"), ("set-password", "admin@localhost")):
        for password in (("--password", PASSWORD), (PASSWORD,)):
            done = polyant("users", *arguments, *password, given=PASSWORD)
            assert (done.code, done.stdout) == (2, "")
            assert "unrecognized arguments" in done.stderr
    assert polyant.succeed("users", "list", "--json").json["total"] == 1


def test_trail_records_the_command_line_as_the_actor(polyant: Polyant, home: Path) -> None:
    polyant.succeed("users", "create", "eve@example.com", given=PASSWORD)
    for action in ("disable", "enable", "delete"):
        polyant.succeed("users", action, "eve@example.com")
    with closing(sqlite3.connect(home / "polyant.db")) as database:
        entries = database.execute("SELECT action, details FROM audit_log WHERE actor = 'cli' ORDER BY id").fetchall()
    disabled = '["disabled"]'
    assert entries == [
        *(("user.create", '["user"]'), ("user.update", disabled), ("user.update", disabled), ("user.delete", "[]"))
    ]


@pytest.mark.parametrize(
    ("arguments", "given", "code", "message"),
    [
        (("create", "eve"), PASSWORD, 2, "email must look like name@host"),
        (("create", "eve@example.com"), "short", 2, "A password must have 12 to 1024 characters"),
        (("create", "eve@example.com", "--role", "god"), PASSWORD, 2, "invalid choice"),
        (("create", "ADMIN@localhost"), PASSWORD, 5, "User 'admin@localhost' already exists"),
        (("disable", "admin@localhost"), "", 5, "User 'admin@localhost' is the last active superadmin"),
        (("delete", "admin@localhost"), "", 5, "User 'admin@localhost' is the last active superadmin"),
        (("set-password", "nobody@example.com"), PASSWORD, 4, 'Unknown user "nobody@example.com"'),
        (("set-password", "admin@localhost"), "short", 2, "A password must have 12 to 1024 characters"),
        (("enable", "nobody"), "", 2, "email must look like name@host"),
        (("enable", "nobody@example.com"), "", 4, 'Unknown user "nobody@example.com"'),
        (("disable", "nobody@example.com"), "", 4, 'Unknown user "nobody@example.com"'),
        (("create", "eve@example.com"), "", 2, "A password must have 12 to 1024 characters"),
        (("create", "eve@example.com"), b"\xff" * 12, 2, "not valid UTF-8"),
        ((), "", 2, "ACTION"),
    ],
)
def test_errors_have_a_message_and_an_exit_code(
    polyant: Polyant, home: Path, arguments: tuple[str, ...], given: str | bytes, code: int, message: str
) -> None:
    done = polyant("users", *arguments, given=given)
    assert (done.code, done.stdout) == (code, "")
    assert message in done.stderr
    assert PASSWORD not in done.stderr


def test_generated_password_of_the_first_user_is_valid(home: Path) -> None:
    assert check_password((home / "initial-admin-password").read_text().strip())
