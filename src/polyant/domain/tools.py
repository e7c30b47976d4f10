"""Tools: what the model is told of them, and what they are given when they run."""

import re
from collections.abc import Awaitable, Callable, Mapping

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
    """A tool's failure, with a message for the model that helps it to recover and holds no secret."""


class ToolContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool is given for one run."""

    slug: Slug
    """The instance on whose behalf it runs."""
    turn: TurnContext
    """Where the turn comes from that calls the tool."""
    secrets: Mapping[SecretName, SecretText]
    """The secrets that the tool declared, and no others."""
    options: JsonObject = {}
    """The instance's options for the tool, which decodes them with `decode_options`."""
    deadline: float
    """The Clock's `monotonic` seconds at which the run is cancelled."""
    delegate: Callable[[str], Awaitable[str]]
    """Has a sub-agent work on a task within the turn's budgets and returns its text; raises ToolError if it can't."""


class OfferedTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as it is offered to a model, wherever it comes from."""

    spec: ToolSpec
    secrets: tuple[SecretName, ...] = ()
    call: Callable[[str, ToolContext], Awaitable[str]]
    """Runs it with arguments as JSON text; raises ToolError, also for arguments that don't fit."""


def parse_tool_name(text: str) -> str:
    """Returns the text as a tool's name.

    Raises:
        InvalidInputError: It isn't a lowercase letter followed by up to 63 of a-z, 0-9 and _.
    """
    if not _NAME.match(text):
        raise InvalidInputError("A tool's name is 1 to 64 of a-z, 0-9 and _, starting with a letter")
    return text


def tool_spec(name: str, description: str, arguments: type[msgspec.Struct]) -> ToolSpec:
    """Returns what a model is told of a tool; the JSON schema is the struct's own, its root in place."""
    (root,), definitions = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    schema = {**definitions.pop(root["$ref"].rpartition("/")[2]), "additionalProperties": False}
    if definitions:
        schema["$defs"] = definitions
    return ToolSpec(name=name, description=description, parameters=msgspec.Raw(msgspec.json.encode(schema)))


def clip_result(text: str) -> str:
    """Returns the text, cut to `MAX_RESULT_BYTES` of UTF-8 with a note that says so; what UTF-8 can't say is `?`."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= MAX_RESULT_BYTES:
        return encoded.decode()
    kept = encoded[:MAX_RESULT_BYTES].decode("utf-8", "ignore")
    return kept + _TRUNCATED.format(kept=MAX_RESULT_BYTES, whole=len(encoded))
