"""Converts the tools of MCP servers to tools for a model."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from polyant.adapters.mcp.json_text import InvalidJsonError, decode
from polyant.adapters.mcp.listing import ListedTool, ToolListing, shown
from polyant.adapters.mcp.schemas import SchemaBudget, UnsupportedSchemaError, repaired
from polyant.adapters.mcp.tool_names import names_for
from polyant.domain.chat import ToolSpec
from polyant.domain.mcp_servers import McpServer
from polyant.domain.tools import OfferedTool, ToolContext, ToolError

Call = Callable[[str, dict[str, Any]], Awaitable[str]]
"""Calls a tool by the server's own name for it."""

_MAX_SCHEMA_BYTES = 64 * 1024
_MAX_PARTS_A_TOOL = 5_000
_MAX_PARTS_A_SERVER = 50_000
_MAX_DESCRIPTION_CHARACTERS = 1_024
_NO_ARGUMENTS = frozenset({"", "null"})

_any_decoder = msgspec.json.Decoder()


async def offers_of(
    server: McpServer, listing: ToolListing, call: Call
) -> tuple[list[OfferedTool], list[tuple[str, str]]]:
    """Returns the allowed tools that can be offered, and the name and reason for each that can't."""
    names, left = names_for(server.name, listing.tools), SchemaBudget(_MAX_PARTS_A_SERVER)
    offered, refused = [], list(listing.unreadable)
    for tool in listing.tools.values():
        if server.allows(tool.name):
            try:
                offered.append(_offer(_spec_of(names[tool.name], tool, left), tool.name, call))
            except UnsupportedSchemaError as error:
                refused.append((shown(tool.name), str(error)))
            await asyncio.sleep(0)  # many large schemas must not block other turns
    return offered, refused


def _spec_of(name: str, tool: ListedTool, left: SchemaBudget) -> ToolSpec:
    if len(bytes(tool.input_schema)) > _MAX_SCHEMA_BYTES:
        raise UnsupportedSchemaError(f"its schema has more than {_MAX_SCHEMA_BYTES} bytes")
    try:
        schema = decode(_any_decoder, tool.input_schema)
        parameters = msgspec.json.encode(repaired(schema, left.limited_to(_MAX_PARTS_A_TOOL)))
    except (InvalidJsonError, OverflowError, RecursionError):
        raise UnsupportedSchemaError("its schema can't be sent as JSON") from None
    if len(parameters) > _MAX_SCHEMA_BYTES:
        raise UnsupportedSchemaError(f"its schema has more than {_MAX_SCHEMA_BYTES} bytes with its references")
    description = tool.shown_description[:_MAX_DESCRIPTION_CHARACTERS].strip()
    return ToolSpec(name=name, description=description or name, parameters=msgspec.Raw(parameters))


def _offer(spec: ToolSpec, original: str, call: Call) -> OfferedTool:
    async def call_with_text(arguments: str, _: ToolContext) -> str:
        return await call(original, _decoded(arguments))

    renamed = None if spec.name.endswith(f"__{original}") else shown(original)
    return OfferedTool(spec=spec, call=call_with_text, original_name=renamed)


def _decoded(arguments: str) -> dict[str, Any]:
    if arguments.strip() in _NO_ARGUMENTS:
        return {}
    try:
        return msgspec.json.decode(arguments, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ToolError(f"The arguments must be a JSON object: {error}") from None
