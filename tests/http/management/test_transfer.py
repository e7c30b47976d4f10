"""/api/instances/{slug}/export and /api/import over HTTP."""

from typing import Any

import msgspec
import pytest

from polyant.domain.backup_records import record_of
from polyant.domain.instances import Slug
from polyant.domain.secrets import SecretText
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
        *("limits", "prompts", "tools", "mcpServers", "options", "skills", "secrets"),
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
    assert msgspec.json.decode(msgspec.json.encode(record_of(instance, secrets).document)) | {"skills": []} == document


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
