"""The keywords of JSON Schema that a tool's schema keeps, and the values that they may have."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")

_SYNONYMS = {
    **dict.fromkeys(("str", "text", "char", "date", "datetime", "uuid", "uri", "url", "email", "file"), "string"),
    **dict.fromkeys(("float", "double", "decimal", "numeric"), "number"),
    **dict.fromkeys(("int", "int32", "int64", "long", "short", "uint"), "integer"),
    "bool": "boolean",
    **dict.fromkeys(("dict", "map", "record", "struct"), "object"),
    **dict.fromkeys(("list", "tuple", "set", "sequence"), "array"),
    **dict.fromkeys(("none", "nil", "nulltype"), "null"),
}
_MAX_PATTERN_CHARACTERS = 512
_MAX_ENUM_VALUES = 500

Check = Callable[[Any], bool]


def types_of(value: Any) -> tuple[str, ...]:
    """Returns the types that a value of `type` names, also by synonyms; none if one of the names is unknown."""
    if value is None:
        return ()
    names = value if isinstance(value, list) else [value]
    words = [word.strip().lower() for name in names for word in str(name).split("|")]
    known = tuple(dict.fromkeys(_SYNONYMS.get(word, word) for word in words))
    return known if all(word in TYPES for word in known) else ()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_enum(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= _MAX_ENUM_VALUES


def _is_pattern(value: Any) -> bool:
    """Returns whether the value is a pattern that every provider can read; JavaScript has others."""
    if not isinstance(value, str) or len(value) > _MAX_PATTERN_CHARACTERS:
        return False
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError):
        return False
    return not re.search(r"\(\?[^:=!]|\\[pPAZz]", value)


def _is_anything(_: Any) -> bool:
    return True


NOTES: Mapping[str, Check] = {"title": _is_text, "description": _is_text, "default": _is_anything}
"""The keywords that describe a value without restricting it."""

_VALUES: Mapping[str, Check] = {"enum": _is_enum, "const": _is_anything}
_LIMITS: Mapping[str, Mapping[str, Check]] = {
    "string": {"minLength": _is_count, "maxLength": _is_count, "pattern": _is_pattern, "format": _is_text},
    "number": {
        "minimum": _is_number,
        "maximum": _is_number,
        "exclusiveMinimum": _is_number,
        "exclusiveMaximum": _is_number,
        "multipleOf": _is_positive,
    },
    "array": {"minItems": _is_count, "maxItems": _is_count, "uniqueItems": _is_flag},
    "object": {"minProperties": _is_count, "maxProperties": _is_count},
}
_ALL: Mapping[str, Check] = {
    **NOTES,
    **_VALUES,
    **{name: each for kind in _LIMITS.values() for name, each in kind.items()},
}


def kept(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keywords of a schema that restrict or describe a single value, if they are valid."""
    return {name: schema[name] for name, check in _ALL.items() if name in schema and check(schema[name])}


def notes_of(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keywords that describe a value without restricting it."""
    return {name: keywords[name] for name in NOTES if name in keywords}


def limits_of(keywords: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Returns the keywords that restrict values of a type, without listed values of other types."""
    limits = _LIMITS.get("number" if kind == "integer" else kind, {})
    result = {name: keywords[name] for name in limits if name in keywords}
    listed = keywords.get("enum") or ([keywords["const"]] if "const" in keywords else [])
    values = [value for value in listed if _has_type(value, kind)]
    return result | {"enum": values} if values and kind != "null" else result


def implied_types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the types that other keywords imply, because some providers require a type."""
    if "properties" in schema:
        return ("object",)
    if "items" in schema or "prefixItems" in schema:
        return ("array",)
    values: Any = [schema["const"]] if "const" in schema else schema.get("enum")
    kinds = dict.fromkeys(map(_type_of, values)) if _is_enum(values) else {}
    return tuple(kind for kind in kinds if kind != "integer" or "number" not in kinds)


def _type_of(value: Any) -> str:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return "integer" if is_integer else next(kind for kind in TYPES if _has_type(value, kind))


def _has_type(value: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "number":
            return _is_number(value)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return value is None
