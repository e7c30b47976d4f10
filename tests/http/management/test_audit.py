"""/api/audit over HTTP, and the absence of secrets in the trail and the log."""

import logging

import pytest

from polyant.domain.users import Role
from support.api import Api
from support.app import App
from support.envelopes import assert_refused
from support.logs import collected
from support.management import PASSWORD


async def listed(api: Api, query: str = "") -> list[tuple[str, str, str | None, str | None, list[str]]]:
    """Returns the entries, oldest first."""
    entries = (await api.get(f"/audit?limit=200{query}")).json["entries"]
    return [
        (each["actor"], each["action"], each["instance"], each["user"], each["details"]) for each in reversed(entries)
    ]


async def test_trail_records_actor_action_and_target_without_values(app: App, api: Api, admin: Api) -> None:
    with collected("polyant") as log:
        await api.succeed("PATCH", "/instances/bot", {"name": "Renamed"})
        await api.succeed("PUT", "/instances/bot/secrets", {"secrets": [{"key": "a_token", "value": "value-of-a"}]})
        key = (await api.succeed("POST", "/instances/bot/keys"))["key"]
        user = await admin.succeed("POST", "/users", {"email": "eve@example.com", "password": PASSWORD})
        login = {"email": "eve@example.com", "password": PASSWORD}
        token = (await Api(app, None).succeed("POST", "/auth/login", login))["token"]
        await Api(app, token).succeed("POST", "/auth/logout")
        await admin.succeed("DELETE", f"/users/{user['user']['id']}")
        await api.succeed("DELETE", "/instances/bot")
    ada, boss, eve = "ada@example.com", "boss@example.com", "eve@example.com"
    assert await listed(admin) == [
        (ada, "instance.create", "bot", None, []),
        (ada, "instance.update", "bot", None, ["name"]),
        (ada, "secret.set", "bot", None, ["a_token"]),
        (ada, "key.issue", "bot", None, []),
        (boss, "user.create", None, eve, ["user"]),
        (eve, "session.login", None, eve, []),
        (eve, "session.logout", None, eve, []),
        (boss, "user.delete", None, eve, []),
        (ada, "instance.delete", "bot", None, []),
    ]
    everything = (await admin.get("/audit?limit=200")).body.decode() + _text_of(log)
    for secret in ("value-of-a", "Renamed", key, PASSWORD, token, api.token):
        assert str(secret) not in everything


def _text_of(log: list[logging.LogRecord]) -> str:
    return "".join(f"{record.getMessage()} {vars(record)}" for record in log)


async def test_rejected_changes_are_not_recorded(api: Api) -> None:
    before = await listed(api)
    for method, path, body in [
        ("PATCH", "/instances/bot", {"name": ""}),
        ("PATCH", "/instances/nobody", {"name": "N"}),
        ("POST", "/instances", {"slug": "bot", "name": "B", "provider": "echo"}),
        ("PUT", "/instances/bot/secrets", {"secrets": [{"key": "X", "value": "x"}]}),
        ("POST", "/users", {"email": "eve@example.com", "password": PASSWORD}),
    ]:
        assert (await api(method, path, body)).status >= 400
    assert await listed(api) == before


async def test_trail_can_be_filtered_by_instance_user_action_and_time(app: App, api: Api) -> None:
    await api.succeed("PUT", "/instances/bot/secrets", {"secrets": [{"key": "a_token", "value": "a"}]})
    app.management.clock.advance(60)
    await api.succeed("POST", "/instances", {"slug": "other", "name": "O", "provider": "echo"})
    await api.succeed("DELETE", "/instances/bot/secrets/a_token")
    moment = (await api.get("/audit?limit=1")).json["entries"][0]["at"].replace("+", "%2B")

    async def actions(query: str) -> list[str]:
        return [action for _, action, _, _, _ in await listed(api, query)]

    assert await actions("&instance=other") == ["instance.create"]
    assert await actions("&action=secret") == ["secret.set", "secret.delete"]
    assert await actions("&action=secret.set") == ["secret.set"]
    assert await actions("&action=secr") == []
    assert await actions(f"&since={moment}") == ["instance.create", "secret.delete"]
    assert await actions(f"&until={moment}") == ["instance.create", "secret.set"]
    assert len(await actions("&user=ada@example.com")) == 4
    assert await actions("&user=nobody&instance=bot") == []


async def test_trail_is_paginated(api: Api) -> None:
    for number in range(4):
        await api.succeed("PATCH", "/instances/bot", {"name": f"Bot {number}"})
    page = (await api.get("/audit?limit=2&offset=4")).json
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 4)
    assert [entry["action"] for entry in page["entries"]] == ["instance.create"]


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("2026-01-01T00:00:00Z", 200),
        ("2026-01-01T00:00:00", 200),
        ("2026-01-01T00:00:00%2B02:00", 200),
        ("0001-01-01T00:00:00%2B02:00", 400),
        ("9999-12-31T23:59:59-02:00", 400),
        ("yesterday", 400),
        ("null", 400),
        ("", 400),
    ],
)
async def test_any_timestamp_is_accepted_or_rejected(api: Api, moment: str, status: int) -> None:
    for name in ("since", "until"):
        assert (await api.get(f"/audit?{name}={moment}")).status == status


async def test_invalid_timestamp_is_rejected_with_the_name_of_the_parameter(api: Api) -> None:
    assert_refused(await api.get("/audit?since=now"), 400, "Expected a time such as 2026-11-22T10:44:00Z - at `since`")


async def test_creation_of_a_user_is_recorded_with_the_role(admin: Api) -> None:
    body = {"email": "eve@example.com", "password": PASSWORD, "role": Role.SUPERADMIN}
    await admin.succeed("POST", "/users", body)
    assert (await listed(admin))[-1][-1] == ["superadmin"]
