"""Builds examples for JSON schemas from the examples of their parts."""

from collections.abc import Mapping
from typing import Any

_BY_TYPE: Mapping[str, Any] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "object": {}}
_BY_FORMAT: Mapping[str, str] = {"date-time": "2026-11-22T10:44:00Z"}


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """Returns a value that matches the schema.

    Args:
        schema: The schema.
        schemas: The schemas that references point to, by name.
    """
    match schema:
        case {"$ref": reference}:
            return example_of(schemas[reference.rpartition("/")[2]], schemas)
        case {"examples": [example, *_]} | {"enum": [example, *_]} | {"const": example} | {"default": example}:
            return example
        case {"anyOf": [*choices]} | {"oneOf": [*choices]}:
            return example_of(_fullest(choices), schemas)
    return _example_of_type(schema, schemas)


def _example_of_type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    match schema:
        case {"type": "array", "prefixItems": [*items]}:
            return [example_of(item, schemas) for item in items]
        case {"type": "array", "items": item}:
            return [example_of(item, schemas)]
        case {"type": "object", "properties": properties}:
            return {name: example_of(part, schemas) for name, part in properties.items()}
    return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE.get(schema.get("type", "string")))


def _fullest(choices: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next((choice for choice in choices if choice.get("type") != "null"), choices[0])
