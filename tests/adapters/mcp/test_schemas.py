"""Repaired schemas; the table takes one entry for each reported schema."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # a dependency of mcp

from polyant.adapters.mcp.schemas import SchemaBudget, UnsupportedSchemaError, repaired

EMPTY: dict[str, Any] = {"type": "object", "properties": {}}
STRING = {"type": "string"}
NULL = {"type": "null"}


def repair(schema: Any) -> dict[str, Any]:
    return repaired(schema, SchemaBudget(5_000))


def part(schema: Any, **more: Any) -> Any:
    """Returns the repaired schema of a property."""
    return repair({"type": "object", "properties": {"p": schema}, **more})["properties"]["p"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object"}, EMPTY),
        ({}, EMPTY),
        ({"properties": {"a": STRING}}, {"type": "object", "properties": {"a": STRING}}),
        ({"type": "object", "properties": None}, EMPTY),
        ({"type": "object", "properties": []}, EMPTY),
        ({"type": ["object", "null"]}, EMPTY),
        ({"type": "OBJECT"}, EMPTY),
        ({"type": "dict"}, EMPTY),
        ({"type": None}, EMPTY),
        ({**EMPTY, "required": None}, EMPTY),
        ({**EMPTY, "required": True}, EMPTY),
        ({**EMPTY, "required": ["gone", 5]}, EMPTY),
        ({**EMPTY, "$schema": "http://json-schema.org/draft-04/schema#", "$id": "x", "x-own": 1}, EMPTY),
        ({**EMPTY, "additionalProperties": False}, {**EMPTY, "additionalProperties": False}),
        ({**EMPTY, "additionalProperties": {"type": "str"}}, {**EMPTY, "additionalProperties": STRING}),
        ({**EMPTY, "additionalProperties": "no"}, EMPTY),
        ({**EMPTY, "additionalProperties": False, "patternProperties": {"^x": {}}}, EMPTY),
        ({**EMPTY, "anyOf": [{"required": ["a"]}]}, EMPTY),
        ({**EMPTY, "not": {}, "enum": [{}], "if": {}}, EMPTY),
        (
            {
                "type": "object",
                "oneOf": [{"properties": {"a": STRING}}, {"properties": {"b": STRING}, "required": ["b"]}],
            },
            {"type": "object", "properties": {"a": STRING, "b": STRING}},
        ),
        (
            {"allOf": [{"properties": {"a": STRING}, "required": ["a"]}, {"$ref": "#/$defs/B"}], "$defs": {"B": EMPTY}},
            {"type": "object", "properties": {"a": STRING}, "required": ["a"]},
        ),
        (
            {"$ref": "#/definitions/A", "definitions": {"A": {"type": "object", "properties": {"a": STRING}}}},
            {"type": "object", "properties": {"a": STRING}},
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string", "required": True}, "b": False, "c": True}},
            {"type": "object", "properties": {"a": STRING, "c": {}}, "required": ["a"]},
        ),
    ],
)
def test_root_is_an_object_with_properties(schema: Any, expected: dict[str, Any]) -> None:
    assert repair(schema) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"type": "array", "items": True}, {"type": "array", "items": {}}),
        ({"type": "array", "items": None}, {"type": "array", "items": {}}),
        ({"items": STRING}, {"type": "array", "items": STRING}),
        ({"type": "array", "items": [STRING, STRING]}, {"type": "array", "items": {}}),
        ({"type": "array", "items": [STRING], "additionalItems": False}, {"type": "array", "items": STRING}),
        (
            {"type": "array", "items": [STRING], "additionalItems": {"type": "int"}},
            {"type": "array", "items": {"anyOf": [STRING, {"type": "integer"}]}},
        ),
        (
            {"type": "array", "prefixItems": [STRING, STRING], "maxItems": 2},
            {"type": "array", "maxItems": 2, "items": STRING},
        ),
        ({"type": "array", "prefixItems": [STRING], "items": True}, {"type": "array", "items": {}}),
        (
            {"type": "array", "prefixItems": [STRING, {"type": "int"}], "items": False},
            {"type": "array", "items": {"anyOf": [STRING, {"type": "integer"}]}},
        ),
        ({"type": "list", "items": {"type": "list"}}, {"type": "array", "items": {"type": "array", "items": {}}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"type": "object", "required": None, "properties": None}, {"type": "object", "properties": {}}),
        ({"type": "int"}, {"type": "integer"}),
        ({"type": "Float"}, {"type": "number"}),
        ({"type": "bool"}, {"type": "boolean"}),
        ({"type": "any"}, {}),
        ({"type": ["string", "any"]}, {}),
        ({"type": 5}, {}),
        ({"type": []}, {}),
        ({"type": ["string"]}, STRING),
        ({"type": ["string", "null"]}, {"anyOf": [STRING, NULL]}),
        ({"type": "string|null"}, {"anyOf": [STRING, NULL]}),
        ({"type": "string", "nullable": True}, {"anyOf": [STRING, NULL]}),
        (
            {"type": ["string", "integer"], "description": "D", "minLength": 1, "minimum": 2, "enum": ["a", 3]},
            {
                "description": "D",
                "anyOf": [
                    {"type": "string", "minLength": 1, "enum": ["a"]},
                    {"type": "integer", "minimum": 2, "enum": [3]},
                ],
            },
        ),
        ({"type": ["array", "null"]}, {"anyOf": [{"type": "array", "items": {}}, NULL]}),
        ({"anyOf": [STRING, NULL], "default": None}, {"anyOf": [STRING, NULL], "default": None}),
        ({"oneOf": [STRING, {"type": "integer"}]}, {"anyOf": [STRING, {"type": "integer"}]}),
        ({"anyOf": [STRING, {}]}, {}),
        ({"anyOf": []}, {}),
        ({"anyOf": "x"}, {}),
        ({"anyOf": [STRING, False]}, {"anyOf": [STRING]}),
        ({"allOf": [STRING], "description": "D"}, {**STRING, "description": "D"}),
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"type": "string", "enum": []}, STRING),
        ({"type": "string", "enum": "a"}, STRING),
        ({"type": "string", "enum": [str(number) for number in range(1_000)]}, STRING),
        ({"type": "string", "const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"const": "a", "description": "D"}, {"type": "string", "enum": ["a"], "description": "D"}),
        ({"const": 7}, {"type": "integer", "enum": [7]}),
        ({"const": True}, {"type": "boolean", "enum": [True]}),
        ({"const": None}, NULL),
        ({"const": {"k": 1}}, {"type": "object", "enum": [{"k": 1}], "properties": {}}),
        (
            {"enum": ["a", 1, 1.5, None]},
            {
                "anyOf": [
                    {"type": "string", "enum": ["a"]},
                    {"type": "number", "enum": [1, 1.5]},
                    NULL,
                ]
            },
        ),
        ({"type": "string", "pattern": "^[a-z]+$"}, {"type": "string", "pattern": "^[a-z]+$"}),
        ({"type": "string", "pattern": "("}, STRING),
        ({"type": "string", "pattern": r"\p{L}"}, STRING),
        ({"type": "string", "pattern": "(?P<a>x)"}, STRING),
        ({"type": "string", "pattern": "a" * 1_000}, STRING),
        ({"type": "string", "minLength": -1, "maxLength": "9", "format": 5, "description": 5, "title": None}, STRING),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True}, {"type": "integer", "minimum": 0}),
        ({"type": "integer", "multipleOf": 0, "maximum": "9"}, {"type": "integer"}),
        ({"type": "integer", "minLength": 5}, {"type": "integer"}),
        (True, {}),
        (None, {}),
        ("string", {}),
        ([], {}),
        ({"$ref": "#/$defs/Gone"}, {}),
        ({"$ref": "#anchor"}, {}),
        ({"$ref": "#anchor/with/steps", "description": "D"}, {"description": "D"}),
        ({"$ref": "https://example.com/schema", "description": "D"}, {"description": "D"}),
        ({"$ref": 5, "type": "string"}, STRING),
        ({"type": "string", "ui:widget": "x", "deprecated": True, "$comment": "x", "examples": ["a"]}, STRING),
    ],
)
def test_property_is_repaired(schema: Any, expected: dict[str, Any]) -> None:
    assert part(schema) == expected


def test_references_are_replaced_by_what_they_name() -> None:
    definitions = {"A/b": {"type": "object", "properties": {"x": {"$ref": "#/$defs/Id"}}}, "Id": {"type": "integer"}}
    for reference in ("#/$defs/A~1b", "#/$defs/A/b"):
        found = part({"$ref": reference, "description": "D"}, **{"$defs": definitions})
        expected = {"type": "object", "properties": {"x": {"type": "integer"}}} if "~" in reference else {}
        assert found == {**expected, "description": "D"}
    assert part({"$ref": "#/$defs/List%5Bint%5D"}, **{"$defs": {"List[int]": {"type": "integer"}}}) == {
        "type": "integer"
    }
    listed = part({"$ref": "#/anyOf/0"}, anyOf=[{"properties": {}, "type": "object", "title": "T"}])
    assert listed == {"type": "object", "title": "T", "properties": {}}


def test_cycle_ends_with_the_type() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}, "all": {"items": {"$ref": "#/$defs/N"}}}}
    expected = {
        "type": "object",
        "properties": {"next": {**EMPTY}, "all": {"type": "array", "items": {**EMPTY}}},
    }
    assert part({"$ref": "#/$defs/N"}, **{"$defs": {"N": node}}) == expected
    assert part({"$ref": "#/$defs/A"}, **{"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}) == {}
    assert part({"$ref": "#"})["properties"] == {"p": EMPTY}


def test_deep_nesting_is_cut() -> None:
    schema: dict[str, Any] = STRING
    for _ in range(100):
        schema = {"type": "array", "items": schema}
    found, depth = part(schema), 0
    while "items" in found:
        found, depth = found["items"], depth + 1
    assert 10 < depth < 30


@pytest.mark.parametrize(
    ("deep", "end"), [({"type": "object"}, EMPTY), ({"type": "list"}, {"type": "array", "items": {}}), (STRING, STRING)]
)
def test_what_is_cut_has_what_providers_require(deep: dict[str, Any], end: dict[str, Any]) -> None:
    schema = deep
    for _ in range(100):
        schema = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    found = repair(schema)
    require(found)
    assert repair({"type": "object", "properties": {"x": deep}})["properties"]["x"] == end


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "string"}, "not that of an object"),
        ({"type": ["string", "null"]}, "not that of an object"),
        (None, "not that of an object"),
        ([], "not that of an object"),
        (True, "not that of an object"),
        ({"type": "object", "properties": ["a"]}, "properties that are not an object"),
        ({"type": "object", "properties": "a"}, "properties that are not an object"),
        ({"type": "object", "properties": {"": {}}}, "a property whose name"),
        ({"type": "object", "properties": {"x" * 65: {}}}, "a property whose name"),
        ({"type": "object", "properties": {"grün": {}}}, "a property whose name"),
    ],
)
def test_schema_that_cannot_be_repaired_is_refused(schema: Any, why: str) -> None:
    with pytest.raises(UnsupportedSchemaError, match=why):
        repair(schema)


def test_exponential_references_are_refused() -> None:
    definitions = {
        f"d{number}": {"properties": {name: {"$ref": f"#/$defs/d{number + 1}"} for name in "ab"}}
        for number in range(20)
    }
    with pytest.raises(UnsupportedSchemaError, match="too many parts"):
        repair({"$ref": "#/$defs/d0", "$defs": definitions})


def test_deeply_nested_alternatives_at_the_root_are_refused() -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(300):
        schema = {"allOf": [schema, {}]}
    with pytest.raises(UnsupportedSchemaError, match="nested too deeply"):
        repair(schema)


KEYWORDS = st.sampled_from(
    [
        *("type", "properties", "items", "prefixItems", "required", "anyOf", "oneOf", "allOf", "enum", "const", "$ref"),
        *(
            "additionalProperties",
            "nullable",
            "pattern",
            "minimum",
            "minLength",
            "multipleOf",
            "description",
            "p",
            "$defs",
        ),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["object", "array", "string", "int", "null", "weird", "#", "#/$defs/p", "p", "(", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(KEYWORDS, VALUES, max_size=6))
def test_repaired_schema_is_valid_and_has_what_providers_require(schema: dict[str, Any]) -> None:
    try:
        found = repair({**schema, "type": "object"})
    except UnsupportedSchemaError:
        return
    Draft202012Validator.check_schema(found)
    assert found["type"] == "object"
    assert not {"anyOf", "oneOf", "allOf", "not", "enum", "$ref"} & found.keys()
    require(found)
    assert repair(found) == found


def require(schema: dict[str, Any]) -> None:
    """Checks the requirements of providers in each nested schema."""
    assert "$ref" not in schema
    assert schema.get("type", "null") in ("string", "number", "integer", "boolean", "object", "array", "null")
    assert schema.get("type") != "array" or isinstance(schema.get("items"), dict)
    assert schema.get("type") != "object" or isinstance(schema.get("properties"), dict)
    assert set(schema.get("required", ())) <= schema.get("properties", {}).keys()
    more = schema.get("additionalProperties")
    nested = [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *schema.get("allOf", ())]
    for each in [
        *nested,
        *([schema["items"]] if "items" in schema else []),
        *([more] if isinstance(more, dict) else []),
    ]:
        require(each)
