"""The texts of an option: its value, and the rules of its schema in words."""

import msgspec
from msgspec import UNSET

from polyant.domain.instances import JsonObject

_LIMITS = {
    "minimum": "at least {:,}",
    "exclusiveMinimum": "above {:,}",
    "maximum": "at most {:,}",
    "exclusiveMaximum": "below {:,}",
}
_JSON_KINDS = {"array": "a list", "object": "an object"}
_MAX_DEFAULT_CHARACTERS = 200


def json_text(value: object, *, pretty: bool = False) -> str:
    """Returns a value as JSON, on one line or indented."""
    encoded = msgspec.json.encode(value)
    return (msgspec.json.format(encoded, indent=2) if pretty else encoded).decode()


def plain_text(value: str) -> str:
    """Returns a text as its field shows it: with the line ends that forms have, and an empty one as two quotes."""
    return value.replace("\r\n", "\n").replace("\r", "\n") or '""'


def help_of(description: str, schema: JsonObject, default: object, *, required: bool, name: str = "") -> str:
    """Returns the help of an option: its description, the rule for its values, and the meaning of an empty field.

    Args:
        description: The description in the schema.
        schema: The schema of the values.
        default: The value of an empty field, or UNSET.
        required: Whether the option must be set.
        name: The name in the options, if the label is another one.
    """
    rule = rule_of(schema)
    sentences = [
        description.strip(),
        rule[:1].upper() + rule[1:],
        "" if required else _default_text(default, schema),
        f"Stored as {name}" if name else "",
    ]
    return " ".join(each if each.endswith((".", "!", "?", ":")) else f"{each}." for each in sentences if each)


def rule_of(schema: JsonObject) -> str:
    """Returns the rule for a value in words, such as `a whole number from 1 to 5`; empty if there is none."""
    if "enum" in schema:
        return ""
    match schema.get("type"):
        case "boolean":
            return ""
        case "string":
            return _text_rule(schema)
        case "integer" | "number" as kind:
            return f"a {'whole ' if kind == 'integer' else ''}number{_range_of(schema)}"
        case kind:
            return f"{_JSON_KINDS.get(str(kind), 'a value')} in JSON"


def _range_of(schema: JsonObject) -> str:
    if "minimum" in schema and "maximum" in schema:
        limits = f" from {schema['minimum']:,} to {schema['maximum']:,}"
    else:
        found = [text.format(schema[name]) for name, text in _LIMITS.items() if name in schema]
        limits = f", {' and '.join(found)}" if found else ""
    return f"{limits}, a multiple of {schema['multipleOf']:,}" if "multipleOf" in schema else limits


def _text_rule(schema: JsonObject) -> str:
    minimum, maximum, pattern = schema.get("minLength"), schema.get("maxLength"), schema.get("pattern")
    match minimum, maximum:
        case None, None:
            size = ""
        case _, None:
            size = f"at least {minimum:,} characters"
        case None | 0, _:
            size = f"at most {maximum:,} characters"
        case _:
            size = f"{minimum:,} to {maximum:,} characters"
    return "; ".join(filter(None, [size, f"must match {pattern}" if pattern else ""]))


def _default_text(default: object, schema: JsonObject) -> str:
    if default is UNSET:
        return "Empty leaves it to the adapter"
    if default in (None, ""):
        return ""
    if isinstance(default, bool):
        return f"Default: {'on' if default else 'off'}"
    text = default if isinstance(default, str) else f"{default:,}" if isinstance(default, int) else json_text(default)
    text = _clipped(text)
    if "enum" in schema:
        return f"Default: {text}"
    return f'Empty: {text}. Enter "" to set it empty' if isinstance(default, str) else f"Empty: {text}"


def _clipped(text: str) -> str:
    return text if len(text) <= _MAX_DEFAULT_CHARACTERS else f"{text[:_MAX_DEFAULT_CHARACTERS]}…"
