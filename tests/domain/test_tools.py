from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.errors import InvalidInputError
from polyant.domain.tools import MAX_RESULT_BYTES, clip_result, parse_tool_name, tool_spec


class Place(msgspec.Struct, frozen=True):
    city: str


class Journey(msgspec.Struct, frozen=True):
    """A way to go."""

    start: Annotated[Place, msgspec.Meta(description="Where it begins.")]
    stops: tuple[Place, ...] = ()


class NoArguments(msgspec.Struct, frozen=True):
    pass


@pytest.mark.parametrize("name", ["a", "current_time", "a1", "x" * 64])
def test_valid_tool_name_is_accepted(name: str) -> None:
    assert parse_tool_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "1a", "_a", "a-b", "a b", "a\n", "é", "x" * 65])
def test_invalid_tool_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="A tool name must be 1 to 64"):
        parse_tool_name(name)


def schema_of(arguments: type[msgspec.Struct]) -> Any:
    return msgspec.json.decode(tool_spec("go", "Goes.", arguments).parameters)


def test_spec_names_and_describes_the_tool() -> None:
    spec = tool_spec("go", "Goes.", Journey)
    assert (spec.name, spec.description) == ("go", "Goes.")


def test_spec_inlines_the_arguments_schema_and_keeps_nested_definitions() -> None:
    assert schema_of(Journey) == {
        "title": "Journey",
        "description": "A way to go.",
        "type": "object",
        "properties": {
            "start": {"description": "Where it begins.", "$ref": "#/$defs/Place"},
            "stops": {"type": "array", "items": {"$ref": "#/$defs/Place"}, "default": []},
        },
        "required": ["start"],
        "additionalProperties": False,
        "$defs": {
            "Place": {
                "title": "Place",
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            }
        },
    }


def test_tool_without_arguments_has_the_schema_of_an_empty_object() -> None:
    schema = schema_of(NoArguments)
    assert (schema["type"], schema["properties"], schema["additionalProperties"]) == ("object", {}, False)
    assert "$defs" not in schema


@pytest.mark.parametrize("text", ["", "short", "é" * (MAX_RESULT_BYTES // 2), "x" * MAX_RESULT_BYTES])
def test_short_result_is_unchanged(text: str) -> None:
    assert clip_result(text) == text


def test_long_result_is_truncated_with_a_note() -> None:
    assert clip_result("x" * (MAX_RESULT_BYTES + 1)) == (
        "x" * MAX_RESULT_BYTES
        + f"\n[The result was longer: only its first {MAX_RESULT_BYTES} of {MAX_RESULT_BYTES + 1} bytes are shown.]"
    )


def test_result_is_truncated_between_characters() -> None:
    kept, _, note = clip_result("x" + "🐜" * MAX_RESULT_BYTES).partition("\n")
    assert set(kept) == {"x", "🐜"}
    assert MAX_RESULT_BYTES - 4 < len(kept.encode()) <= MAX_RESULT_BYTES
    assert note.startswith("[The result was longer")


@given(st.text(st.characters(exclude_categories=())))
def test_result_can_always_be_sent_as_json(text: str) -> None:
    """Otherwise a lone surrogate, which UTF-8 can't encode, would fail the next model call."""
    assert msgspec.json.decode(msgspec.json.encode(clip_result(text))) == clip_result(text)
