"""/api/instances/{slug}/tools, /api/tools and /api/providers over HTTP."""

import msgspec

from polyant.domain.instances import Slug
from support.api import Api
from support.app import App
from support.envelopes import assert_refused

PATH = "/instances/bot/tools"


async def test_each_tool_is_shown_with_its_missing_requirements(app: App, api: Api) -> None:
    bot = await app.repo.get(Slug("bot"))
    assert bot is not None
    await app.repo.save(msgspec.structs.replace(bot, tools=("gone", "look_up")))
    calculate, look_up, gone = (await api.get(PATH)).json["tools"]
    assert (calculate["name"], calculate["enabled"], calculate["available"]) == ("calculate", False, True)
    assert calculate["description"].startswith("Evaluates an arithmetic expression")
    assert look_up == {
        "name": "look_up",
        "description": "Looks a customer up.",
        "enabled": True,
        "available": False,
        "missingSecrets": ["crm_token"],
    }
    assert (gone["enabled"], gone["available"], gone["description"]) == (True, False, "")
    await api.succeed("PUT", "/instances/bot/secrets", {"secrets": [{"key": "crm_token", "value": "x"}]})
    assert (await api.get(PATH)).json["tools"][1]["available"] is True


async def test_put_enables_exactly_the_given_tools(api: Api) -> None:
    for enabled in (["calculate"], ["look_up", "calculate", "look_up"], []):
        tools = (await api.patch(PATH, {"enabled": enabled})).json["tools"]
        assert {tool["name"] for tool in tools if tool["enabled"]} == set(enabled)


async def test_unknown_tool_is_rejected_and_changes_nothing(api: Api) -> None:
    await api.succeed("PATCH", PATH, {"enabled": ["calculate"]})
    refused = await api.patch(PATH, {"enabled": ["look_up", "nobody's"]})
    assert_refused(refused, 400, "Unknown tool 'nobody's'; available: calculate, look_up")
    assert [tool["enabled"] for tool in (await api.get(PATH)).json["tools"]] == [True, False]


async def test_uninstalled_tool_may_stay_enabled_and_can_be_disabled(app: App, api: Api) -> None:
    bot = await app.repo.get(Slug("bot"))
    assert bot is not None
    await app.repo.save(msgspec.structs.replace(bot, tools=("gone",)))
    assert (await api.patch(PATH, {"enabled": ["gone", "calculate"]})).status == 200
    assert (await api.patch(PATH, {"enabled": []})).status == 200
    assert (await api.patch(PATH, {"enabled": ["gone"]})).status == 400


async def test_available_tools_and_providers_are_listed(api: Api) -> None:
    calculate, look_up = (await api.get("/tools")).json["tools"]
    assert calculate["parameters"]["required"] == ["expression"]
    assert (look_up["name"], look_up["secrets"]) == ("look_up", ["crm_token"])
    assert (await api.get("/providers")).json["providers"] == [
        {"name": "echo", "defaultModel": "parrot", "baseUrl": "http://echo.invalid", "secret": None, "lastTurn": None},
        {
            "name": "vendor",
            "defaultModel": "small",
            "baseUrl": "https://api.vendor.example/v1",
            "secret": "vendor_api_key",
            "lastTurn": None,
        },
    ]


async def test_options_are_listed_with_their_json_schema(api: Api) -> None:
    (vendor,) = (await api.get("/options")).json["adapters"]
    assert vendor["name"] == "vendor"
    assert vendor["options"]["additionalProperties"] is False
    assert vendor["options"]["properties"]["maxTokens"] == {"minimum": 1, "default": 1000, "type": "integer"}
