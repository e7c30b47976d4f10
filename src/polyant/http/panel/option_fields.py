"""The form fields of an adapter's options, by its JSON schema."""

import enum
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import JsonObject
from polyant.http.panel.option_texts import help_of, json_text, plain_text, rule_of

_PREFIX = "option."
_PLAIN_NAME = re.compile(r"\A[A-Za-z0-9_.-]+\Z")
_INTEGER = re.compile(r"\A[+-]?(?:[0-9]+|[1-9][0-9]{0,2}(?:,[0-9]{3})+)\Z")
_NUMBER = re.compile(r"\A[+-]?[0-9]+(?:[.,][0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
_THOUSANDS = re.compile(r"\A[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+\Z")
_MAX_DIGITS = 32
_SHORT_TEXT_CHARACTERS = 256


class FieldKind(enum.StrEnum):
    """How the form edits a value."""

    TEXT = "text"
    AREA = "area"
    INTEGER = "integer"
    NUMBER = "number"
    CHOICE = "choice"
    JSON = "json"


class OptionField(msgspec.Struct, frozen=True, kw_only=True):
    """One option in the form."""

    name: str
    """The name in the options."""
    label: str
    """The title in the schema, or the name if there is none."""
    id: str
    """The name of the form field."""
    kind: FieldKind
    required: bool
    help: str
    maximum: int | None = None
    """The maximum number of characters."""
    schema: JsonObject
    """The schema of the value, without null."""
    choices: Mapping[str, object] = {}
    """The values to choose from, by their texts."""

    @property
    def alternatives(self) -> list[tuple[str, str]]:
        """The values and texts of a list to choose from, with one that sets nothing."""
        unset = "Choose a value" if self.required else "Default"
        return [("", unset), *((text, text) for text in self.choices)]

    def text_of(self, value: object) -> str:
        """Returns a value as the form shows it; no value is an empty text."""
        if value is UNSET or (value is None and self.kind is not FieldKind.JSON):
            return ""
        if self.kind is FieldKind.CHOICE:
            known = (text for text, choice in self.choices.items() if (type(choice), choice) == (type(value), value))
            return next(known, _text_of(value))
        return json_text(value, pretty=True) if self.kind is FieldKind.JSON else _text_of(value)

    def is_unchanged(self, typed: str, shown: str) -> bool:
        """Returns whether a text as typed means what the field showed; blanks around it matter only in texts."""
        return typed == shown if self._is_text else typed.strip() == shown.strip()

    @property
    def _is_text(self) -> bool:
        return self.kind in {FieldKind.TEXT, FieldKind.AREA}

    def value_of(self, text: str) -> object:
        """Returns the value of a text as typed, or UNSET if the field is empty.

        Raises:
            InvalidInputError: The text isn't a value of the field.
        """
        if self._is_text:
            return UNSET if not text else "" if text == plain_text("") else text
        stripped = text.strip()
        return self._parsed(stripped) if stripped else UNSET

    def _parsed(self, text: str) -> object:
        match self.kind:
            case FieldKind.CHOICE:
                if text not in self.choices:
                    raise InvalidInputError(f"Choose one of: {', '.join(self.choices)}")
                return self.choices[text]
            case FieldKind.JSON:
                return _json_value(text)
            case _:
                value = _number(text, whole=self.kind is FieldKind.INTEGER)
                if value is None or not _is_within(value, self.schema):
                    raise InvalidInputError(f"Enter {rule_of(self.schema)}")
                return value


def fields_of(schema: JsonObject) -> tuple[OptionField, ...]:
    """Returns the fields of a schema of options."""
    required = schema.get("required", ())
    properties: Mapping[str, JsonObject] = schema.get("properties", {})
    return tuple(
        _field(number, name, each, schema, required=name in required)
        for number, (name, each) in enumerate(properties.items())
    )


def _field(number: int, name: str, given: JsonObject, root: JsonObject, *, required: bool) -> OptionField:
    schema, nullable = _value_schema(given, root)
    default = given.get("default", UNSET)
    choices = _choices_of(schema)
    title = _title_of(given)
    kind = _kind_of(schema, choices, null_matters=nullable and default is not None)
    field = OptionField(
        name=name,
        label=title or name,
        id=f"{_PREFIX}{name if _PLAIN_NAME.match(name) else number}",
        kind=kind,
        required=required,
        help=help_of(
            given.get("description") or schema.get("description", ""),
            schema,
            default,
            required=required,
            name=name if title else "",
        ),
        maximum=schema.get("maxLength"),
        schema=schema,
        choices=choices,
    )
    is_long = isinstance(default, str) and "\n" in default
    return msgspec.structs.replace(field, kind=FieldKind.AREA) if kind is FieldKind.TEXT and is_long else field


def _title_of(given: JsonObject) -> str:
    """Returns the title that the adapter gave to an option, or an empty text.

    The title of a schema that is only referred to is the name of a class.
    """
    alternatives = [each for each in given.get("anyOf", ()) if each.get("type") != "null"]
    own = [given, *(alternatives if len(alternatives) == 1 else [])]
    return next((title for each in own if "$ref" not in each and (title := str(each.get("title", "")).strip())), "")


def _text_of(value: object) -> str:
    return plain_text(value) if isinstance(value, str) else json_text(value)


def _value_schema(given: JsonObject, root: JsonObject) -> tuple[JsonObject, bool]:
    """Returns the schema of the values other than null, and whether null is allowed, too."""
    schema = _resolved(given, root)
    alternatives = [_resolved(each, root) for each in schema.get("anyOf", ())]
    others = [each for each in alternatives if each.get("type") != "null"]
    if len(others) == 1 and len(others) < len(alternatives):
        return others[0], True
    if alternatives and all(each.get("type") in {"integer", "number"} and len(each) == 1 for each in others):
        return {"type": "number"}, len(others) < len(alternatives)
    return schema, False


def _resolved(schema: JsonObject, root: JsonObject) -> JsonObject:
    """Returns the schema that a reference points to, or the schema itself."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target: JsonObject = root.get("$defs", {}).get(reference.rpartition("/")[2], {})
    return target


def _choices_of(schema: JsonObject) -> Mapping[str, object]:
    if schema.get("type") == "boolean":
        return {"on": True, "off": False}
    values: list[Any] = schema.get("enum", [])
    texts = {value if isinstance(value, str) else json_text(value): value for value in values}
    return texts if len(texts) == len(values) and "" not in texts else {}


def _kind_of(schema: JsonObject, choices: Mapping[str, object], *, null_matters: bool) -> FieldKind:
    if null_matters:  # an empty field is the default, so null needs a text of its own
        return FieldKind.JSON
    if choices:
        return FieldKind.CHOICE
    match schema.get("type"):
        case "string":
            is_long = (schema.get("maxLength") or 0) > _SHORT_TEXT_CHARACTERS
            return FieldKind.AREA if is_long else FieldKind.TEXT
        case "integer":
            return FieldKind.INTEGER
        case "number":
            return FieldKind.NUMBER
        case _:
            return FieldKind.JSON


def _json_value(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInputError(f"This isn’t JSON: {error}") from None


def _number(text: str, *, whole: bool) -> int | float | None:
    """Returns the number, or None if the text isn't one that JSON can hold."""
    if len(text) > _MAX_DIGITS:
        return None
    if _INTEGER.match(text) and (whole or not _THOUSANDS.match(text)):
        number = int(text.replace(",", ""))
        return number if -(2**63) <= number < 2**63 else None
    if whole or _THOUSANDS.match(text) or not _NUMBER.match(text):
        return None
    value = float(text.replace(",", "."))
    return value if abs(value) != math.inf else None


def _is_within(value: float, schema: JsonObject) -> bool:
    minimum, above = schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf)
    maximum, below = schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf)
    return bool(minimum <= value <= maximum and above < value < below)
