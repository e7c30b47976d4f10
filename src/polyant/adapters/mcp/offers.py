"""Converts the tools of MCP servers to tools for a model."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from polyant.domain.chat import ToolSpec
from polyant.domain.mcp_servers import McpServer
from polyant.domain.tools import OfferedTool, ToolContext, ToolError

Call = Callable[[dict[str, Any]], Awaitable[str]]

_NAME = re.compile(r"\A[a-zA-Z0-9_-]{1,64}\Z")
_PROPERTY = re.compile(r"\A[a-zA-Z0-9_.-]{1,64}\Z")
_UNSUPPORTED_ROOT_KEYS = ("anyOf", "oneOf", "allOf", "not", "enum", "$ref")
_MAX_SCHEMA_BYTES = 64 * 1024
_MAX_DESCRIPTION_CHARACTERS = 1_024
_NO_ARGUMENTS = frozenset({"", "null"})


class UnsupportedToolError(Exception):
    """Providers reject every request that offers this tool; the message says why."""


def spec_of(server: McpServer, name: str, description: str, schema: Mapping[str, Any]) -> ToolSpec:
    """Returns the specification of a server's tool for a model.

    Raises:
        UnsupportedToolError: Providers would reject the tool.
    """
    full_name = f"{server.name}__{name}"
    if not _NAME.match(full_name):
        raise UnsupportedToolError("its name with the server's is not 1 to 64 of a-z, A-Z, 0-9, _ and -")
    shown = description.encode("utf-8", "replace").decode()[:_MAX_DESCRIPTION_CHARACTERS].strip()
    return ToolSpec(name=full_name, description=shown or name, parameters=_parameters(schema))


def offer(spec: ToolSpec, call: Call) -> OfferedTool:
    """Returns the tool to offer; `call` receives the decoded arguments."""

    async def call_with_text(arguments: str, _: ToolContext) -> str:
        return await call(_decoded(arguments))

    return OfferedTool(spec=spec, call=call_with_text)


def _parameters(schema: Mapping[str, Any]) -> msgspec.Raw:
    properties = schema.get("properties", {})
    if schema.get("type") != "object" or not isinstance(properties, dict):
        raise UnsupportedToolError("its schema is not that of an object")
    if refused := [key for key in _UNSUPPORTED_ROOT_KEYS if key in schema]:
        raise UnsupportedToolError(f"its schema has {', '.join(refused)} at its root")
    if not all(_PROPERTY.match(name) for name in properties):
        raise UnsupportedToolError("its schema has a property whose name is not 1 to 64 of a-z, A-Z, 0-9, _, . and -")
    try:
        encoded = msgspec.json.encode({**schema, "properties": properties})
    except (ValueError, OverflowError, RecursionError):
        raise UnsupportedToolError("its schema can't be sent as JSON") from None
    if len(encoded) > _MAX_SCHEMA_BYTES:
        raise UnsupportedToolError(f"its schema has more than {_MAX_SCHEMA_BYTES} bytes")
    return msgspec.Raw(encoded)


def _decoded(arguments: str) -> dict[str, Any]:
    if arguments.strip() in _NO_ARGUMENTS:
        return {}
    try:
        return msgspec.json.decode(arguments, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ToolError(f"The arguments must be a JSON object: {error}") from None
