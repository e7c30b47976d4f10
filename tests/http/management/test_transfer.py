"""/api/instances/{slug}/export and /api/import over HTTP."""

from typing import Any

import msgspec
import pytest

from polyant.domain.backup_records import record_of
from polyant.domain.channel_info import AccountState, ChannelUnreachableError, SetUp, TearDown
from polyant.domain.channels import ChannelAccount
from polyant.domain.instances import Slug
from polyant.domain.secrets import SecretText
from polyant.testing.fake_channel import FAKE_TOKEN, FakeChannel
from support.api import Api
from support.app import App
from support.envelopes import assert_refused

CRM = {"name": "crm", "url": "https://crm.example/mcp", "headers": {"X-Key": "crm_token"}, "tools": ["*"]}
VALUE = "a-value-that-stays-here"


@pytest.fixture
async def document(api: Api) -> Any:
    """The export of an instance with every kind of data."""
    change = {"description": "Helps", "temperature": 0.5, "status": "disabled", "limits": {"maxSteps": 3}}
    change["options"] = {"vendor": {"effort": "high"}}
    await api.succeed("PATCH", "/instances/bot", {**change, "baseUrl": "http://gateway.example/v1"})
    await api.succeed("PATCH", "/instances/bot/prompts", {"sections": [{"key": "02-soul", "content": "Be kind."}]})
    await api.succeed("PATCH", "/instances/bot/tools", {"enabled": ["calculate", "look_up"]})
    await api.succeed("PUT", "/instances/bot/mcp-servers", {"mcpServers": [CRM]})
    await api.succeed("PUT", "/instances/bot/secrets", {"secrets": [{"key": "vendor_api_key", "value": VALUE}]})
    await api.succeed("POST", "/instances/bot/keys")
    return (await api.get("/instances/bot/export")).json


async def test_export_contains_everything_except_the_values_of_secrets(api: Api, document: Any) -> None:
    response = await api.get("/instances/bot/export")
    assert response.header("content-disposition") == 'attachment; filename="bot.json"'
    assert list(document) == [
        *("format", "slug", "name", "description", "status", "provider", "model", "baseUrl", "temperature"),
        *("authEnabled", "conversations", "historyTokens", "historyMessages", "transcripts", "imageInput"),
        *("limits", "prompts", "tools", "mcpServers", "options", "skills", "channels", "secrets"),
    ]
    assert (document["format"], document["secrets"]) == ("polyant.instance/1", ["auth_api_key", "vendor_api_key"])
    assert (document["tools"], document["mcpServers"]) == (["calculate", "look_up"], [CRM])
    assert document["prompts"][1] == {"key": "02-soul", "content": "Be kind."}
    assert document["options"] == {"vendor": {"effort": "high"}}
    assert VALUE.encode() not in response.body


async def test_backup_contains_the_exported_document(app: App, document: Any) -> None:
    """The record of an instance in a backup has the document that is exported now, but its skills apart."""
    instance = await app.management.repo.get(Slug("bot"))
    assert instance is not None
    secrets = dict.fromkeys(instance.secrets, SecretText(VALUE))
    assert (
        msgspec.json.decode(msgspec.json.encode(record_of(instance, secrets).document)) | {"skills": [], "channels": []}
        == document
    )


async def test_import_under_another_slug_creates_the_instance_without_secrets(api: Api, document: Any) -> None:
    response = await api.post("/import", {**document, "slug": "copy"})
    assert (response.status, response.header("etag")) == (201, '"1"')
    instance = response.json["instance"]
    assert (instance["authEnabled"], instance["hasAuthKey"]) == (True, False)  # closed, not open
    assert response.json["missingSecrets"] == ["auth_api_key", "crm_token", "vendor_api_key"]
    again = (await api.get("/instances/copy/export")).json
    assert again == {**document, "slug": "copy", "secrets": []}


async def test_existing_instance_is_overwritten_only_if_requested(api: Api, document: Any) -> None:
    before = (await api.get("/instances/bot")).json["instance"]
    assert_refused(await api.post("/import", document), 409, "Instance 'bot' already exists")
    changed = {**document, "name": "Renamed", "prompts": [], "tools": []}
    response = await api.post("/import?overwrite=true", changed)
    assert response.status == 200
    after = response.json["instance"]
    kept = {name: before[name] for name in ("id", "slug", "createdAt", "hasAuthKey")}
    assert {name: after[name] for name in kept} == kept
    assert (after["name"], response.json["missingSecrets"]) == ("Renamed", ["crm_token"])
    assert (await api.post("/import?overwrite=true", document)).status == 200
    assert (await api.get("/instances/bot/export")).json == document


async def test_minimal_document_is_completed_with_defaults(api: Api) -> None:
    small = {"format": "polyant.instance/1", "slug": "small", "name": "Small", "provider": "echo", "model": "parrot"}
    assert (await api.post("/import", small)).status == 201
    exported = (await api.get("/instances/small/export")).json
    assert (exported["status"], exported["tools"], len(exported["prompts"])) == ("active", [], 8)
    assert exported["prompts"][0]["content"].startswith("# Identity\n\nYou are Small")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "polyant.instance/2"}, "Invalid enum value 'polyant.instance/2' - at `$.format`"),
        ({"slug": "No Slug"}, "A slug must be 1 to 128 characters"),
        ({"provider": "nobody"}, "Unknown provider 'nobody'; available: echo, vendor"),
        ({"surprise": 1}, "Object contains unknown field `surprise`"),
        ({"limits": {"maxSteps": 0}}, "Expected `int` >= 1 - at `$.limits.maxSteps`"),
        ({"tools": ["No Tool"]}, "A tool name must be 1 to 64"),
        ({"options": {"nobody": {}}}, "Unknown adapter 'nobody'; adapters with options: vendor"),
        ({"prompts": [{"key": "02-soul", "content": "x"}] * 2}, "Section 02-soul is given more than once"),
        ({"mcpServers": [{**CRM, "name": "C"}]}, "MCP server 'C': the name must be"),
    ],
)
async def test_invalid_document_is_not_imported(
    app: App, api: Api, document: Any, change: dict[str, Any], message: str
) -> None:
    before = await app.repo.changes_since(0)
    response = await api.post("/import?overwrite=true", {**document, **change})
    assert (response.status, response.json["message"][: len(message)]) == (400, message)
    assert await app.repo.changes_since(0) == before


async def test_document_is_human_readable_json(document: Any) -> None:
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    assert '"name": "Bot"' in text


FAKE = "/instances/bot/channels/fake"
CHOICES = {"access": "allow-list", "users": ["7", "8"], "burst": "enqueue", "ambiguousSends": "hold"}


@pytest.fixture
async def with_channel(api: Api) -> Any:
    """The export of an instance that is connected to a channel."""
    await api.succeed("PUT", FAKE, {"credentials": {"token": FAKE_TOKEN}, **CHOICES})
    return await api.succeed("GET", "/instances/bot/export")


async def test_export_contains_channels_without_accounts_and_credentials(api: Api, with_channel: Any) -> None:
    channel = {"channel": "fake", "delivery": "webhook", "options": {}, "secrets": ["fake_token"], **CHOICES}
    assert with_channel["channels"] == [channel]
    body = (await api.get("/instances/bot/export")).body.decode()
    assert FAKE_TOKEN not in body
    assert "fake-account" not in body


async def test_imported_channel_is_disconnected_until_it_gets_credentials(
    app: App, api: Api, with_channel: Any
) -> None:
    (before,) = await app.management.connections.list()
    imported = (await api.post("/import", {**with_channel, "slug": "copy"})).json
    assert imported["disconnectedChannels"] == ["fake"]
    assert before in await app.management.connections.list()  # it keeps its account
    copy = "/instances/copy/channels/fake"
    shown = await api.succeed("GET", copy)
    assert (shown["state"], shown["account"], shown["webhook"]) == ("disconnected", "", None)
    assert {name: shown[name] for name in CHOICES} == CHOICES
    problems = (await api.succeed("POST", f"{copy}/test", {}))["problems"]
    assert problems == ["The channel was imported and isn't connected yet"]
    kinds = {each["kind"] for each in (await api.succeed("GET", "/attention"))["instances"] if each["slug"] == "copy"}
    assert "channel_disconnected" in kinds
    assert (await api.succeed("GET", "/instances/copy/export"))["channels"] == [
        {**with_channel["channels"][0], "secrets": []}
    ]
    credentials = {"credentials": {"token": FAKE_TOKEN}}
    message = "This fake account is already connected: disconnect it there first"
    assert_refused(await api.put(copy, credentials), 409, message)
    assert (await api.succeed("GET", copy))["state"] == "disconnected"
    await api.succeed("DELETE", FAKE)
    connected = (await api.put(copy, credentials)).json
    assert (connected["state"], connected["account"]) == ("active", "fake-account")
    assert {name: connected[name] for name in CHOICES} == CHOICES
    assert (await api.succeed("GET", "/instances/copy/export"))["channels"] == with_channel["channels"]


async def test_failed_set_up_keeps_the_imported_channel(app: App, api: Api, with_channel: Any) -> None:
    class Unreachable(FakeChannel):
        async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
            if change is not None:
                raise ChannelUnreachableError("Fake")
            return AccountState(account="another-account")

    await api.post("/import", {**with_channel, "slug": "copy"})
    app.management.channel = Unreachable()
    copy = "/instances/copy/channels/fake"
    assert (await api.put(copy, {"credentials": {"token": FAKE_TOKEN}})).status == 503
    shown = await api.succeed("GET", copy)
    assert (shown["state"], {name: shown[name] for name in CHOICES}) == ("disconnected", CHOICES)


async def test_overwritten_instance_keeps_its_accounts(app: App, api: Api, with_channel: Any) -> None:
    (before,) = await app.management.connections.list()
    await api.succeed("PATCH", FAKE, {"burst": "coalesce", "users": []})
    imported = await api.succeed("POST", "/import?overwrite=true", with_channel)
    assert imported["disconnectedChannels"] == []
    (after,) = await app.management.connections.list()
    assert (after.account, after.state, after.credentials) == (before.account, before.state, before.credentials)
    assert (after.burst, after.users) == (before.burst, before.users)
    await api.succeed("POST", "/import?overwrite=true", {**with_channel, "channels": []})
    assert len(await app.management.connections.list()) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channel": "Fake"}, "Expected `str` matching regex"),
        ({"access": "nobody"}, "Invalid enum value 'nobody'"),
        ({"users": ["a b"]}, "users must be at most 10000 ids"),
        ({"token": "x"}, "Object contains unknown field `token`"),
    ],
)
async def test_invalid_channel_stores_nothing(
    app: App, api: Api, with_channel: Any, change: dict[str, Any], message: str
) -> None:
    channels = [{**with_channel["channels"][0], **change}]
    response = await api.post("/import", {**with_channel, "slug": "copy", "channels": channels})
    assert response.status == 400
    assert message in response.json["message"]
    assert await app.management.repo.get(Slug("copy")) is None


async def test_channel_that_occurs_twice_is_refused(api: Api, with_channel: Any) -> None:
    channels = with_channel["channels"] * 2
    response = await api.post("/import", {**with_channel, "slug": "copy", "channels": channels})
    assert_refused(response, 400, "channels must name each channel once: fake occurs twice")


async def test_channel_that_is_not_enabled_here_is_kept(api: Api, with_channel: Any) -> None:
    channels = [{**with_channel["channels"][0], "channel": "icq"}]
    imported = (await api.post("/import", {**with_channel, "slug": "copy", "channels": channels})).json
    assert imported["disconnectedChannels"] == ["icq"]
    assert [each["channel"] for each in (await api.succeed("GET", "/instances/copy/export"))["channels"]] == ["icq"]
    await api.succeed("DELETE", "/instances/copy/channels/icq")
