"""/api/instances/{slug}/mcp-servers over HTTP."""

import pytest

from polyant.domain.ports.tool_servers import ServerFault
from support.api import Api
from support.app import App
from support.envelopes import assert_refused

PATH = "/instances/bot/mcp-servers"
CRM = {
    "name": "crm",
    "url": "https://crm.example/mcp",
    "headers": {"Authorization": "crm_token"},
    "tools": ["find", "create"],
}


async def test_put_replaces_all_servers(api: Api) -> None:
    assert (await api.get(PATH)).json == {"mcpServers": [], "problems": []}
    bare = {"name": "files", "url": "http://files.example:8100/mcp"}
    answer = (await api.put(PATH, {"mcpServers": [CRM, bare]})).json
    assert answer["mcpServers"] == [CRM, {**bare, "headers": {}, "tools": []}]
    assert answer == (await api.get(PATH)).json
    assert (await api.put(PATH, {"mcpServers": [bare]})).json["mcpServers"] == [{**bare, "headers": {}, "tools": []}]


async def test_missing_secret_of_a_header_is_a_problem_until_it_is_set(api: Api) -> None:
    (problem,) = (await api.put(PATH, {"mcpServers": [CRM]})).json["problems"]
    assert problem.startswith("The secret crm_token of instance 'bot' for the MCP server crm is missing")
    await api.succeed("PUT", "/instances/bot/secrets", {"secrets": [{"key": "crm_token", "value": "Bearer x"}]})
    assert (await api.get(PATH)).json["problems"] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Crm"}, "MCP server 'Crm': the name must be"),
        ({"url": "ftp://crm.example"}, "MCP server 'crm': the URL must start with"),
        ({"url": 5}, "Expected `str`, got `int` - at `$.mcpServers[0].url`"),
        ({"headers": {"Host": "crm_token"}}, "MCP server 'crm': a header must have"),
        ({"headers": {"X-Key": "auth_api_key"}}, "MCP server 'crm': auth_api_key is"),
        ({"tools": ["with space"]}, "MCP server 'crm': a tool name"),
        ({"kind": "sse"}, "Object contains unknown field `kind` - at `$.mcpServers[0]`"),
    ],
)
async def test_invalid_server_is_not_stored(api: Api, change: dict[str, object], message: str) -> None:
    response = await api.put(PATH, {"mcpServers": [{**CRM, **change}]})
    assert (response.status, response.json["message"][: len(message)]) == (400, message)
    assert (await api.get(PATH)).json["mcpServers"] == []


async def test_only_a_superadmin_can_set_an_internal_address(api: Api, admin: Api) -> None:
    inside = {"name": "files", "url": "http://192.168.1.9/mcp", "headers": {}, "tools": []}
    refused = await api.put(PATH, {"mcpServers": [inside]})
    assert refused.status == 400
    assert refused.json["message"].startswith("Only a superadmin can set the address http://192.168.1.9/mcp")
    assert (await admin.put(PATH, {"mcpServers": [inside]})).json["mcpServers"] == [inside]
    assert (await api.put(PATH, {"mcpServers": [CRM, inside]})).json["mcpServers"] == [CRM, inside]


async def test_too_many_servers_are_rejected(api: Api) -> None:
    many = [{**CRM, "name": f"crm{number}"} for number in range(17)]
    assert_refused(
        await api.put(PATH, {"mcpServers": many}), 400, "Expected `array` of length <= 16 - at `$.mcpServers`"
    )


async def test_connection_of_a_server_is_tested(app: App, api: Api) -> None:
    assert_refused(await api.post(f"{PATH}/crm/test"), 404, "Instance 'bot' has no MCP server 'crm'")
    await api.put(PATH, {"mcpServers": [{**CRM, "headers": {}}]})
    assert (await api.post(f"{PATH}/crm/test")).json == {
        "usable": True,
        "problem": None,
        "tools": [
            {"name": "find", "description": "Finds.", "enabled": True, "offeredAs": "crm__find", "skipped": None}
        ],
        "unknownTools": ["create"],
        "notes": [],
    }
    app.management.tool_servers.fail("crm", ServerFault.SLOW)
    failed = (await api.post(f"{PATH}/crm/test")).json
    assert (failed["usable"], failed["tools"]) == (False, [])
    assert failed["problem"].startswith("No response from crm.example within 5 seconds.")
