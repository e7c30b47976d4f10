"""Tools: their description for the model, and the context of a run."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from polyant.domain.chat import ToolSpec
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import JsonObject, Slug
from polyant.domain.secrets import SecretName, SecretText
from polyant.domain.turn_context import TurnContext

MAX_RESULT_BYTES = 64 * 1024

_NAME = re.compile(r"\A[a-z][a-z0-9_]{0,63}\Z")
_TRUNCATED = "\n[The result was longer: only its first {kept} of {whole} bytes are shown.]"


class ToolError(Exception):
    """A tool's failure; the message helps the model to recover and contains no secret."""


class ToolContext(msgspec.Struct, frozen=True, kw_only=True):
    """The context of one tool run."""

    slug: Slug
    """The instance that runs the tool."""
    turn: TurnContext
    """The origin of the turn that calls the tool."""
    secrets: Mapping[SecretName, SecretText]
    """Only the secrets that the tool declares."""
    options: JsonObject = {}
    """The instance's options for the tool, which decodes them with `decode_options`."""
    deadline: float
    """The Clock's `monotonic` seconds at which the run is cancelled."""
    delegate: Callable[[str], Awaitable[str]]
    """Runs a task in a sub-agent within the turn's budget and returns its text; raises ToolError on failure."""


class OfferedTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as offered to a model, whether installed or from an MCP server."""

    spec: ToolSpec
    secrets: tuple[SecretName, ...] = ()
    call: Callable[[str, ToolContext], Awaitable[str]]
    """Runs the tool with arguments as JSON text; raises ToolError on failure and for invalid arguments."""
    original_name: str | None = None
    """The MCP server's own name for the tool, if the model sees an alias."""


def parse_tool_name(text: str) -> str:
    """Returns the text as a tool name.

    Raises:
        InvalidInputError: The text isn't a lowercase letter followed by up to 63 of a-z, 0-9 and _.
    """
    if not _NAME.match(text):
        raise InvalidInputError("A tool name must be 1 to 64 characters: a-z, 0-9 and _, starting with a letter")
    return text


def tool_spec(name: str, description: str, arguments: type[msgspec.Struct]) -> ToolSpec:
    """Returns a tool's description for the model; the root of its JSON schema is inlined, not a reference."""
    schema = object_schema(arguments)
    return ToolSpec(name=name, description=description, parameters=msgspec.Raw(msgspec.json.encode(schema)))


def object_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Returns the JSON schema of a struct; its root is inlined, and unknown fields are refused."""
    (root,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    schema = {**definitions.pop(root["$ref"].rpartition("/")[2]), "additionalProperties": False}
    return {**schema, "$defs": definitions} if definitions else schema


def clip_result(text: str) -> str:
    """Returns the text truncated to `MAX_RESULT_BYTES` of UTF-8, plus a note if it was truncated.

    Characters that UTF-8 can't encode become `?`.
    """
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= MAX_RESULT_BYTES:
        return encoded.decode()
    kept = encoded[:MAX_RESULT_BYTES].decode("utf-8", "ignore")
    return kept + _TRUNCATED.format(kept=MAX_RESULT_BYTES, whole=len(encoded))
