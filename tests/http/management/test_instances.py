"""/api/instances over HTTP."""

from datetime import datetime, timedelta

import pytest

from support.api import Api
from support.app import App
from support.envelopes import assert_refused

FIELDS = [
    *("id", "slug", "name", "description", "status", "provider", "model", "baseUrl", "temperature"),
    *("authEnabled", "hasAuthKey", "conversations", "historyTokens", "historyMessages", "transcripts"),
    *("imageInput", "limits", "options", "createdAt", "updatedAt"),
]
NO_LIMITS = {"maxSteps": None, "maxToolCalls": None, "turnSeconds": None, "toolSeconds": None}


async def test_instance_is_created_with_the_given_fields_and_defaults(app: App, api: Api) -> None:
    body = {"slug": "new-bot", "name": "New", "description": "Helps", "provider": "vendor", "baseUrl": "http://l:1/v1/"}
    response = await api.post("/instances", body)
    assert (response.status, response.header("etag")) == (201, '"1"')
    instance = response.json["instance"]
    assert list(instance) == FIELDS
    assert (instance["name"], instance["description"], instance["status"]) == ("New", "Helps", "active")
    assert (instance["provider"], instance["model"], instance["baseUrl"]) == ("vendor", "small", "http://l:1/v1")
    assert (instance["temperature"], instance["limits"], instance["options"]) == (None, NO_LIMITS, {})
    assert (instance["authEnabled"], instance["hasAuthKey"]) == (False, False)
    assert (instance["conversations"], instance["transcripts"]) == (False, "superadmins")
    assert (instance["historyTokens"], instance["historyMessages"]) == (8_000, 100)
    created = datetime.fromisoformat(instance["createdAt"])
    assert (created, created.utcoffset()) == (app.management.clock.now(), timedelta())
    assert response.json["key"] is None
    assert (await api.get("/instances/new-bot")).json["instance"] == instance


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"slug": "bot", "name": "B", "provider": "echo"}, 409, "Instance 'bot' already exists"),
        ({"slug": "No Slug", "name": "B", "provider": "echo"}, 400, "A slug must be 1 to 128 characters"),
        ({"slug": "b\n", "name": "B", "provider": "echo"}, 400, "A slug must be 1 to 128 characters"),
        ({"slug": "b"}, 400, "Object missing required field `name`"),
        ({"slug": "b", "name": " ", "provider": "echo"}, 400, "name must have 1 to 128 characters"),
        ({"slug": "b", "name": "B", "provider": "nobody"}, 400, "Unknown provider 'nobody'; available: echo, vendor"),
        ({"slug": "b", "name": "B", "provider": "echo", "baseUrl": "x"}, 400, "A base URL must start with"),
        ({"slug": "b", "name": "B", "provider": "echo", "temperature": 3}, 400, "Expected `float` <= 2.0 - at `$.temp"),
        ({"slug": "b", "name": "B", "base_url": "http://x"}, 400, "Object contains unknown field `base_url`"),
        ({"slug": 5, "name": "B"}, 400, "Expected `str`, got `int` - at `$.slug`"),
        ([], 400, "Expected `object`, got `array`"),
    ],
)
async def test_invalid_instance_is_not_created(api: Api, body: object, status: int, message: str) -> None:
    response = await api.post("/instances", body)
    assert (response.status, response.json["message"][: len(message)]) == (status, message)
    assert (await api.get("/instances/b")).status == 404


async def test_instance_is_created_with_sections_secrets_and_key_at_once(app: App, api: Api) -> None:
    sections = [{"key": "01-identity", "content": "You are New."}]
    body = {
        "slug": "new-bot",
        "name": "New",
        "provider": "vendor",
        "sections": sections,
        "secrets": [{"key": "vendor_api_key", "value": "sk-of-the-vendor"}],
        "issueKey": True,
    }
    created = await api.succeed("POST", "/instances", body)
    assert (created["instance"]["authEnabled"], created["instance"]["hasAuthKey"]) == (True, True)
    assert created["key"].startswith("sk-")
    prompts = (await api.get("/instances/new-bot/prompts")).json["prompts"]
    assert prompts[0]["content"] == "You are New."
    assert ("ada@example.com", "instance.create", "new-bot", None, ("vendor_api_key", "auth_api_key")) in (
        await app.management.audit_entries()
    )
    for change in ({"secrets": [{"key": "a_key", "value": ""}]}, {"sections": [*sections, *sections]}):
        response = await api.post("/instances", {**body, "slug": "other-bot", **change})
        assert response.status == 400
        assert (await api.get("/instances/other-bot")).status == 404


async def test_instances_are_listed_oldest_first_with_pages_search_and_status(app: App, api: Api) -> None:
    for slug in ("b-bot", "a-bot"):
        app.management.clock.advance(1)
        await api.succeed("POST", "/instances", {"slug": slug, "name": slug.upper(), "provider": "echo"})
    await api.succeed("PATCH", "/instances/a-bot", {"status": "disabled"})
    page = (await api.get("/instances?limit=2&offset=1")).json
    assert [found["slug"] for found in page["instances"]] == ["bot", "b-bot"]
    assert (page["total"], page["limit"], page["offset"]) == (4, 2, 1)
    assert list(page["instances"][0]) == FIELDS
    assert page["instances"][0] == (await api.get("/instances/bot")).json["instance"]
    searched = (await api.get("/instances?search=a-BOT")).json
    assert ([found["slug"] for found in searched["instances"]], searched["total"]) == (["a-bot"], 1)
    disabled = (await api.get("/instances?status=disabled")).json
    assert [found["slug"] for found in disabled["instances"]] == ["a-bot"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "Expected `int` >= 1 - at `limit`"),
        ("limit=201", "Expected `int` <= 200 - at `limit`"),
        ("limit=many", "Expected `int`, got `str` - at `limit`"),
        ("offset=-1", "Expected `int` >= 0 - at `offset`"),
        ("status=asleep", "Invalid enum value 'asleep' - at `status`"),
        (f"search={'x' * 201}", "Expected `str` of length <= 200 - at `search`"),
    ],
)
async def test_invalid_parameter_is_rejected_with_its_name(api: Api, query: str, message: str) -> None:
    assert_refused(await api.get(f"/instances?{query}"), 400, message)


async def test_given_fields_change_and_others_stay(app: App, api: Api) -> None:
    before = (await api.get("/instances/bot")).json["instance"]
    app.management.clock.advance(5)
    change = {"name": "Better", "temperature": 0.5, "limits": {"maxSteps": 3, "turnSeconds": 1.5}}
    after = (await api.patch("/instances/bot", change)).json["instance"]
    limits = {**NO_LIMITS, "maxSteps": 3, "turnSeconds": 1.5}
    updated = {"name": "Better", "temperature": 0.5, "limits": limits, "updatedAt": after["updatedAt"]}
    assert after == {**before, **updated}
    assert datetime.fromisoformat(after["updatedAt"]) == app.management.clock.now()
    back = {"temperature": None, "limits": {"maxSteps": None}}
    after = (await api.patch("/instances/bot", back)).json["instance"]
    assert (after["temperature"], after["limits"]) == (None, {**NO_LIMITS, "turnSeconds": 1.5})


async def test_options_are_set_per_adapter_and_reset_with_null(app: App, api: Api) -> None:
    options = {"vendor": {"maxTokens": 7, "effort": "high"}}
    assert (await api.patch("/instances/bot", {"options": options})).json["instance"]["options"] == options
    assert (await api.patch("/instances/bot", {"name": "B"})).json["instance"]["options"] == options
    assert (await api.get("/instances")).json["instances"][-1]["options"] == options
    assert (await api.patch("/instances/bot", {"options": {"vendor": None}})).json["instance"]["options"] == {}
    details = [entry[-1] for entry in await app.management.audit_entries() if entry[1] == "instance.update"]
    assert details == [("options.vendor",), ("name",), ("options.vendor",)]


async def test_response_has_the_address_in_effect_and_notices(api: Api) -> None:
    own = (await api.get("/instances/bot")).json["address"]
    moved = (await api.patch("/instances/bot", {"baseUrl": "http://l:1/v1/messages"})).json
    assert (moved["instance"]["baseUrl"], moved["address"]) == ("http://l:1/v1", "http://l:1/v1")
    notice = "The base URL was corrected to http://l:1/v1: /messages is added to it for each call"
    assert moved["notices"][0] == notice
    reset = (await api.patch("/instances/bot", {"provider": "echo"})).json
    assert reset["instance"]["baseUrl"] is None
    back = (await api.patch("/instances/bot", {"provider": "vendor"})).json
    assert (back["instance"]["baseUrl"], back["address"]) == (None, own)


async def test_new_provider_sets_its_default_model(api: Api) -> None:
    after = (await api.patch("/instances/bot", {"provider": "echo"})).json["instance"]
    assert (after["provider"], after["model"]) == ("echo", "parrot")
    after = (await api.patch("/instances/bot", {"provider": "vendor", "model": "large"})).json["instance"]
    assert (after["provider"], after["model"]) == ("vendor", "large")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"authEnabled": True}, "auth can't be enabled without an API key: issue or set one first"),
        ({"limits": {"maxSteps": 0}}, "Expected `int` >= 1 - at `$.limits.maxSteps`"),
        ({"limits": {"steps": 1}}, "Object contains unknown field `steps` - at `$.limits`"),
        ({"limits": None}, "Expected `object`, got `null` - at `$.limits`"),
        ({"status": "gone"}, "Invalid enum value 'gone' - at `$.status`"),
        ({"name": None}, "Expected `str`, got `null` - at `$.name`"),
        ({"historyTokens": 99}, "Expected `int` >= 100 - at `$.historyTokens`"),
        ({"historyTokens": None}, "Expected `int`, got `null` - at `$.historyTokens`"),
        ({"historyMessages": 1_001}, "Expected `int` <= 1000 - at `$.historyMessages`"),
        ({"transcripts": "all"}, "Invalid enum value 'all' - at `$.transcripts`"),
        ({"authEnabled": "true"}, "Expected `bool`, got `str` - at `$.authEnabled`"),
        ({"temperature": "1"}, "Expected `float | null`, got `str` - at `$.temperature`"),
        ({"slug": "other"}, "Object contains unknown field `slug`"),
        ({"options": None}, "Expected `object`, got `null` - at `$.options`"),
        ({"options": {"vendor": []}}, "Expected `object | null`, got `array` - at `$.options[...]`"),
        (
            {"options": {"nobody": {}}},
            "Unknown adapter 'nobody'; adapters with options: vendor - at `$.options.nobody`",
        ),
        ({"options": {"echo": {}}}, "The adapter 'echo' has no options - at `$.options.echo`"),
        ({"options": {"vendor": {"maxTokens": 0}}}, "Expected `int` >= 1 - at `$.options.vendor.maxTokens`"),
        ({"options": {"vendor": {"x": 1}}}, "Object contains unknown field `x` - at `$.options.vendor`"),
    ],
)
async def test_invalid_change_changes_nothing(app: App, api: Api, change: dict[str, object], message: str) -> None:
    before = (await api.get("/instances/bot")).json
    assert_refused(await api.patch("/instances/bot", {"description": "changed", **change}), 400, message)
    assert (await api.get("/instances/bot")).json == before


async def test_instance_is_deleted_with_all_its_data(api: Api) -> None:
    assert (await api.delete("/instances/bot")).json == {"deleted": True}
    for path in ("", "/prompts", "/tools", "/secrets", "/mcp-servers", "/turns", "/export"):
        assert_refused(await api.get(f"/instances/bot{path}"), 404, "Unknown instance")
    assert_refused(await api.delete("/instances/bot"), 404, "Unknown instance")


@pytest.mark.parametrize("slug", ["nobody", "No%20Slug", "%00", "%ff", "x" * 129, ".."])
async def test_unknown_instance_is_404_for_any_slug(api: Api, slug: str) -> None:
    reads = [("GET", path) for path in ("", "/prompts/preview", "/turns", "/export")]
    deletions = [("DELETE", path) for path in ("", "/secrets/x", "/keys")]
    writes: list[tuple[str, str, object]] = [
        ("PATCH", "", {}),
        ("PATCH", "/prompts", {"sections": []}),
        ("PATCH", "/tools", {"enabled": []}),
        ("PUT", "/secrets", {"secrets": []}),
        ("POST", "/keys", {}),
        ("PUT", "/mcp-servers", {"mcpServers": []}),
    ]
    for method, path in reads + deletions:
        assert_refused(await api(method, f"/instances/{slug}{path}"), 404, "Unknown instance")
    for method, path, body in writes:
        assert_refused(await api(method, f"/instances/{slug}{path}", body), 404, "Unknown instance")


async def test_conversation_settings_are_changed(api: Api) -> None:
    changes = {"conversations": True, "historyTokens": 500, "historyMessages": 10}
    changed = (await api.succeed("PATCH", "/instances/demo-bot", changes))["instance"]
    assert {name: changed[name] for name in changes} == changes
    assert (await api.get("/instances/demo-bot")).json["instance"] == changed


async def test_only_a_superadmin_can_let_users_read_transcripts(api: Api, admin: Api) -> None:
    shared = {"transcripts": "users"}
    message = "Only a superadmin can set transcripts to users"
    assert_refused(await api.patch("/instances/demo-bot", shared), 400, message)
    await admin.succeed("PATCH", "/instances/demo-bot", shared)
    document = (await api.get("/instances/demo-bot/export")).json
    assert document["transcripts"] == "users"
    document |= {"provider": "vendor", "options": {}}
    await api.succeed("PATCH", "/instances/demo-bot", {**shared, "name": "Kept"})
    assert_refused(await api.post("/import", {**document, "slug": "copy"}), 400, message)
    await api.succeed("PATCH", "/instances/demo-bot", {"transcripts": "superadmins"})
    assert_refused(await api.post("/import?overwrite=true", document), 400, message)
    await admin.succeed("POST", "/import?overwrite=true", document)
