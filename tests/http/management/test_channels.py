"""/api/instances/{slug}/channels over HTTP."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from polyant.domain.channel_info import AccountState
from polyant.domain.channel_problems import ProblemKind
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import ChannelConnection, ConnectionState
from polyant.domain.pairing import PairingCodes
from polyant.testing.fake_channel import FAKE_TOKEN
from support.api import Api
from support.app import App
from support.channel_events import dead_event, doubtful_send
from support.envelopes import assert_refused
from support.management import BROKEN_CHANNEL

PATH = "/instances/bot/channels"
FAKE = f"{PATH}/fake"
BODY = {"credentials": {"token": FAKE_TOKEN}}


async def stored(app: App) -> ChannelConnection:
    (connection,) = await app.management.connections.list()
    return connection


async def test_channel_is_connected_listed_changed_and_disconnected(app: App, api: Api) -> None:
    assert (await api.get(PATH)).json == {"channels": []}
    connected = (await api.put(FAKE, BODY)).json
    connection = await stored(app)
    assert connected == {
        "channel": "fake",
        "account": "fake-account",
        "accountName": "@fake",
        "state": "active",
        "delivery": "webhook",
        "webhook": f"https://bots.example/channels/fake/{connection.id}",
        "access": "everybody",
        "users": [],
        "burst": "coalesce",
        "ambiguousSends": "resend",
        "options": {},
        "problems": [],
        "createdAt": connected["createdAt"],
        "updatedAt": connected["updatedAt"],
    }
    assert (await api.get(PATH)).json == {"channels": [connected]}
    changed = (await api.patch(FAKE, {"access": "allow-list", "users": ["7"], "burst": "enqueue"})).json
    assert (changed["access"], changed["users"], changed["burst"]) == ("allow-list", ["7"], "enqueue")
    assert (await api.get(FAKE)).json == changed
    assert (await api.delete(FAKE)).json == {"deleted": True, "problem": None}
    assert (await api.get(PATH)).json == {"channels": []}
    trail = [action for _, action, instance, _, _ in await app.management.audit_entries() if instance == "bot"]
    assert trail[1:] == ["secret.set", "channel.connect", "channel.update", "channel.disconnect", "secret.delete"]


async def test_problems_are_shown(app: App, api: Api) -> None:
    await api.succeed("PUT", FAKE, BODY)
    since = datetime(2026, 5, 4, 10, 2, tzinfo=UTC)
    reason = "the signature doesn't match the app secret"
    await app.management.connections.set_problem((await stored(app)).id, ProblemKind.WEBHOOK_REFUSED, reason, at=since)
    problem = {"kind": "webhook_refused", "since": "2026-05-04T10:02:00Z", "reason": reason}
    assert (await api.succeed("GET", FAKE))["problems"] == [problem]
    found = (await api.succeed("GET", "/attention"))["instances"]
    assert found[-1] == {"slug": "bot", "name": "Bot", "secret": None, "adapter": None, "channel": "fake", **problem}


async def test_adapter_that_cannot_be_imported_is_named_and_others_work(app: App, api: Api) -> None:
    await app.management.enable_broken_channel()
    message = "The adapter of the channel \"broken\" can't be loaded. No module named 'acme'"
    broken = f"{PATH}/broken"
    assert_refused(await api.put(broken, BODY), 503, message)
    assert_refused(await api.get(broken), 404, "Unknown channel connection")
    await api.succeed("PUT", FAKE, BODY)
    connections = app.management.connections
    await connections.add(replace(await stored(app), id="b" * 22, channel=BROKEN_CHANNEL))
    assert_refused(await api.put(broken, BODY), 503, message)
    assert_refused(await api.patch(broken, {"access": "everybody"}), 503, message)
    assert (await api.succeed("POST", f"{broken}/test", {}))["problems"] == [message]
    assert {each["channel"] for each in (await api.succeed("GET", PATH))["channels"]} == {"fake", "broken"}
    assert (await api.succeed("POST", f"{FAKE}/test", {}))["usable"]
    assert (await api.patch(broken, {"burst": "enqueue"})).status == 200
    assert await api.succeed("DELETE", broken) == {"deleted": True, "problem": message}


async def test_channel_that_is_no_longer_enabled_can_be_disconnected(app: App, api: Api) -> None:
    await api.succeed("PUT", FAKE, BODY)
    (await app.management.get(ChannelRegistry)).names = ()
    assert (await api.succeed("POST", f"{FAKE}/test", {}))["problems"] == ["Unknown channel. The channels are: none"]
    assert_refused(await api.put(FAKE, BODY), 404, "Unknown channel. The channels are: none")
    assert (await api.succeed("GET", "/attention"))["instances"][-1]["kind"] == "channel_unusable"
    await api.succeed("DELETE", FAKE)
    assert await app.management.connections.list() == ()


async def test_credentials_are_never_returned(app: App, api: Api) -> None:
    await api.succeed("PUT", FAKE, BODY)
    for path in (PATH, FAKE, "/instances/bot", "/instances/bot/secrets", "/instances/bot/export"):
        assert FAKE_TOKEN not in (await api.get(path)).body.decode()


async def test_writes_support_conditions(api: Api) -> None:
    assert (await api.put(FAKE, BODY, if_match='"1"')).status == 412
    etag = (await api.put(FAKE, BODY)).header("etag")
    assert etag == '"1"'
    assert (await api.get(FAKE)).header("etag") == etag
    for method, body in (("PUT", BODY), ("PATCH", {"burst": "enqueue"}), ("DELETE", {})):
        response = await api(method, FAKE, body, if_match='"7"')
        assert_refused(
            response, 412, "The channel connection has changed since it was read: read it again and repeat the change"
        )
    assert (await api.patch(FAKE, {"burst": "enqueue"}, if_match='"1"')).header("etag") == '"2"'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Token is missing."),
        ({"credentials": {"tokn": "x"}}, "Fake has no credential tokn: it has token"),
        ({"credentials": {"token": ""}}, "Expected `str` of length >= 1 - at `$.credentials[...]`"),
        ({**BODY, "access": "all"}, "Invalid enum value 'all' - at `$.access`"),
        ({**BODY, "users": ["a b"]}, "users must be at most"),
        ({**BODY, "acess": "everybody"}, "Object contains unknown field `acess`"),
    ],
)
async def test_invalid_connection_is_refused(api: Api, body: dict[str, Any], message: str) -> None:
    response = await api.put(FAKE, body)
    assert (response.status, response.json["message"][: len(message)]) == (400, message)
    assert (await api.get(PATH)).json == {"channels": []}


async def test_account_of_another_instance_is_a_conflict(api: Api) -> None:
    await api.succeed("POST", "/instances", {"slug": "other", "name": "Other", "provider": "vendor"})
    await api.succeed("PUT", FAKE, BODY)
    response = await api.put("/instances/other/channels/fake", BODY)
    assert_refused(response, 409, "This fake account is already connected: disconnect it there first")


@pytest.mark.parametrize("path", ["/instances/nobody/channels", "/instances/nobody/channels/fake"])
async def test_unknown_instance_is_not_found(api: Api, path: str) -> None:
    assert_refused(await api.get(path), 404, "Unknown instance")


@pytest.mark.parametrize("channel", ["fake", "icq", "Fake", "a" * 30])
async def test_unknown_connection_is_not_found(api: Api, channel: str) -> None:
    path = f"{PATH}/{channel}"
    calls = (api.get(path), api.patch(path, {}), api.delete(path), api.post(f"{path}/test"))
    for call in calls:
        response = await call
        assert response.status == 404
    assert (await api.post(f"{path}/approvals", {"code": "4711-AAAAAAAA"})).status == 404


async def test_unknown_channel_can_not_be_connected(api: Api) -> None:
    assert (await api.put(f"{PATH}/icq", BODY)).status == 404


async def test_problems_of_the_account_are_returned(app: App, api: Api) -> None:
    await api.succeed("PUT", FAKE, BODY)
    ready = {"usable": True, "account": "fake-account", "name": "@fake", "problems": []}
    assert (await api.post(f"{FAKE}/test")).json == ready
    app.management.channel.state = AccountState(account="fake-account", name="@fake", problems=("webhook fails",))
    assert (await api.post(f"{FAKE}/test")).json == {**ready, "usable": False, "problems": ["webhook fails"]}


async def test_paused_channel_is_shown(app: App, api: Api) -> None:
    await api.succeed("PUT", FAKE, BODY)
    await app.management.connections.save(replace(await stored(app), state=ConnectionState.PAUSED))
    assert (await api.get(FAKE)).json["state"] == "paused"
    assert (await api.put(FAKE, {})).json["state"] == "active"


async def test_user_with_a_code_is_approved(app: App, api: Api) -> None:
    await api.succeed("PUT", FAKE, {**BODY, "access": "pairing"})
    code = await (await app.management.get(PairingCodes)).code_of((await stored(app)).id, "4711")
    refused = await api.post(f"{FAKE}/approvals", {"code": "4711-AAAAAAAA"})
    assert_refused(refused, 400, "The pairing code is wrong: enter it as the account showed it to the user")
    assert (await api.post(f"{FAKE}/approvals", {"code": code})).json["users"] == ["4711"]


async def test_dead_letters_are_listed_and_replayed(app: App, api: Api) -> None:
    await api.succeed("PUT", FAKE, BODY)
    event = await dead_event(app.management)
    listed = (await api.get(f"{FAKE}/dead-letters")).json
    assert listed["total"] == 1
    shown = listed["deadLetters"][0]
    assert (shown["id"], shown["error"], shown["state"], shown["channel"]) == (event, "auth", "dead", "fake")
    assert "ciphertext" not in str(listed)
    assert (await api.post(f"{FAKE}/dead-letters/{event}/replay")).json == {"replayed": True}
    assert (await api.get(f"{FAKE}/dead-letters")).json["total"] == 0
    assert (await app.management.audit_entries())[-1][1:3] == ("channel.replay", "bot")
    for number in (str(event), "0", "-1", "x", "9" * 30, "9" * 19):
        assert_refused(await api.post(f"{FAKE}/dead-letters/{number}/replay"), 404, "Unknown event")


async def test_dead_letter_of_another_instance_is_not_replayed(app: App, api: Api) -> None:
    await api.succeed("POST", "/instances", {"slug": "other", "name": "Other", "provider": "vendor"})
    await api.succeed("PUT", FAKE, BODY)
    event = await dead_event(app.management)
    response = await api.post(f"/instances/other/channels/fake/dead-letters/{event}/replay")
    assert_refused(response, 404, "Unknown event")


async def test_doubtful_sends_are_listed_without_their_texts(app: App, api: Api) -> None:
    await api.succeed("PUT", FAKE, BODY)
    assert (await api.succeed("GET", f"{FAKE}/doubtful-sends"))["total"] == 0
    number = await doubtful_send(app.management)
    listed = await api.succeed("GET", f"{FAKE}/doubtful-sends")
    (send,) = listed["doubtfulSends"]
    assert (listed["total"], send["id"], send["state"]) == (1, number, "sent")
    assert (send["attempts"], send["ambiguous"]) == (2, 1)
    assert "text" not in send
