from typing import Any

import msgspec
import pytest

from polyant.adapters.mcp.listing import ToolListing
from polyant.adapters.mcp.offers import offers_of
from polyant.domain.mcp_servers import McpServer
from polyant.domain.tools import OfferedTool

SERVER = McpServer(name="crm", url="https://crm.example/mcp", tools=("*",))
OBJECT: dict[str, Any] = {"type": "object"}


async def call(tool: str, arguments: dict[str, Any]) -> str:
    return f"{tool} {arguments}"


async def offers(*tools: dict[str, Any], allowed: str = "*") -> tuple[list[OfferedTool], dict[str, str]]:
    listing = ToolListing()
    listing.add_page(msgspec.Raw(msgspec.json.encode({"tools": tools})))
    offered, refused = await offers_of(msgspec.structs.replace(SERVER, tools=(allowed,)), listing, call)
    return offered, dict(refused)


async def test_offered_tool_combines_the_servers_name_and_the_tools() -> None:
    (tool,), refused = await offers({"name": "find", "description": "Finds.", "inputSchema": OBJECT})
    assert (tool.spec.name, tool.spec.description, tool.original_name) == ("crm__find", "Finds.", None)
    assert msgspec.json.decode(tool.spec.parameters) == {"type": "object", "properties": {}}
    assert refused == {}


async def test_schema_of_a_tool_that_is_not_allowed_is_not_reported() -> None:
    bad = {"name": "bad", "inputSchema": {"type": "string"}}
    offered, refused = await offers(bad, {"name": "find", "inputSchema": OBJECT}, allowed="find")
    assert ([tool.spec.name for tool in offered], refused) == (["crm__find"], {})


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"description": "Finds."}, "Finds."),
        ({"description": "", "title": "Finder"}, "Finder"),
        ({}, "find"),
        ({"description": "  \n "}, "crm__find"),
        ({"description": "x" * 2_000}, "x" * 1_024),
        ({"description": 5, "title": "Finder"}, "Finder"),
    ],
)
async def test_description_is_adapted_to_providers(given: dict[str, Any], shown: str) -> None:
    (tool,), _ = await offers({"name": "find", "inputSchema": OBJECT, **given})
    assert tool.spec.description == shown


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({**OBJECT, "description": "x" * 70_000}, "its schema has more than 65536 bytes"),
        (
            {
                **OBJECT,
                "properties": {f"p{number}": {"$ref": "#/$defs/A"} for number in range(1_200)},
                "$defs": {"A": {"type": "string", "description": "x" * 10_000}},
            },
            "its schema, or those of the server together, have too many parts",
        ),
    ],
)
async def test_schema_that_would_be_too_large_is_refused(schema: dict[str, Any], why: str) -> None:
    offered, refused = await offers({"name": "find", "inputSchema": schema})
    assert (offered, refused) == ([], {"find": why})


async def test_schemas_of_a_server_are_bounded_together() -> None:
    schema = {**OBJECT, "properties": {f"p{number}": {"type": "string"} for number in range(1_000)}}
    offered, refused = await offers(*({"name": f"t{number}", "inputSchema": schema} for number in range(60)))
    assert 40 <= len(offered) < 50
    assert len(offered) + len(refused) == 60


async def test_call_receives_the_original_name_and_decoded_arguments() -> None:
    (tool,), _ = await offers({"name": "a.b", "inputSchema": OBJECT})
    assert (tool.original_name, tool.spec.name[:9]) == ("a.b", "crm__a_b_")
    assert await tool.call('{"x":1}', None) == "a.b {'x': 1}"  # type: ignore[arg-type]
    assert await tool.call(" ", None) == "a.b {}"  # type: ignore[arg-type]
