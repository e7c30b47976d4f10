from typing import Any

import msgspec
import pytest

from polyant.adapters.mcp.offers import UnsupportedToolError, spec_of
from polyant.domain.mcp_servers import McpServer

SERVER = McpServer(name="crm", url="https://crm.example/mcp", tools=("*",))
OBJECT: dict[str, Any] = {"type": "object", "properties": {}}


def schema_of(**schema: Any) -> Any:
    return msgspec.json.decode(spec_of(SERVER, "find", "Finds.", schema).parameters)


@pytest.mark.parametrize("name", ["find", "Find-2", "find_it", "x" * 59])
def test_offered_tool_name_combines_the_server_and_the_tool(name: str) -> None:
    assert spec_of(SERVER, name, "Finds.", OBJECT).name == f"crm__{name}"


@pytest.mark.parametrize("name", ["x" * 60, "a.b", "a/b", "é", "a b", "a\n"])
def test_name_that_providers_reject_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedToolError, match="its name"):
        spec_of(SERVER, name, "Finds.", OBJECT)


def test_schema_is_unchanged() -> None:
    schema = {
        "type": "object",
        "properties": {"id": {"$ref": "#/$defs/Id"}, "by.name": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        "required": ["id"],
        "$defs": {"Id": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert schema_of(**schema) == schema


def test_schema_without_properties_gets_empty_properties() -> None:
    assert schema_of(type="object") == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({}, "not that of an object"),
        ({"type": "string"}, "not that of an object"),
        ({"type": ["object", "null"]}, "not that of an object"),
        ({"type": "object", "properties": []}, "not that of an object"),
        ({**OBJECT, "oneOf": []}, "oneOf at its root"),
        ({**OBJECT, "$ref": "#/$defs/A"}, r"\$ref at its root"),
        ({**OBJECT, "allOf": [], "not": {}}, "allOf, not at its root"),
        ({"type": "object", "properties": {"": {}}}, "a property whose name"),
        ({"type": "object", "properties": {"x" * 65: {}}}, "a property whose name"),
        ({"type": "object", "properties": {"grün": {}}}, "a property whose name"),
        ({**OBJECT, "description": "x" * 70_000}, "more than 65536 bytes"),
        ({**OBJECT, "description": "\ud800"}, "can't be sent as JSON"),
    ],
)
def test_schema_that_providers_reject_is_refused(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(UnsupportedToolError, match=why):
        schema_of(**schema)


@pytest.mark.parametrize(
    ("description", "shown"),
    [("Finds.", "Finds."), ("  \n ", "find"), ("", "find"), ("half \ud800", "half ?"), ("x" * 2_000, "x" * 1_024)],
)
def test_description_is_adapted_to_providers(description: str, shown: str) -> None:
    assert spec_of(SERVER, "find", description, OBJECT).description == shown
