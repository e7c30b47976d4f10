from typing import Any

import msgspec
import pytest

from polyant.adapters.llm.anthropic_request import AnthropicOptions
from polyant.adapters.llm.openai_request import OpenAIOptions
from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.errors import InvalidInputError

KINDS: dict[str, type[msgspec.Struct] | None] = {"openai": OpenAIOptions, "anthropic": AnthropicOptions}
ENCODED = b'{"model":"m","temperature":0.5,"max_completion_tokens":7,"tools":[{"parameters":{"a": 1}}]}'


def merged(**body: Any) -> dict[str, Any]:
    return msgspec.json.decode(OpenAIOptions(body=body).merged_into(ENCODED), type=dict[str, Any])


def test_fields_take_precedence_and_the_rest_stays_as_it_is() -> None:
    fields = merged(temperature=1, reasoning_effort="high", safety_settings=[{"category": "c"}])
    assert (fields["temperature"], fields["reasoning_effort"]) == (1, "high")
    assert fields["safety_settings"] == [{"category": "c"}]
    assert fields["tools"] == [{"parameters": {"a": 1}}]


def test_null_removes_a_field() -> None:
    assert merged(temperature=None, absent=None).keys() == {"model", "max_completion_tokens", "tools"}


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_only_one_limit_of_tokens_is_sent(name: str) -> None:
    fields = merged(**{name: 9})
    assert [field for field in fields if field.endswith("_tokens")] == [name]
    assert fields[name] == 9


def test_without_fields_the_request_is_unchanged() -> None:
    assert OpenAIOptions(query={"a": 1}).merged_into(ENCODED) is ENCODED


def test_query_is_added_to_the_address() -> None:
    options = OpenAIOptions(query={"api-version": "2026-01-01", "a b".replace(" ", "."): "x&y", "n": 2, "on": True})
    assert options.address("http://h/v1") == "http://h/v1?api-version=2026-01-01&a.b=x%26y&n=2&on=true"
    assert OpenAIOptions().address("http://h/v1") == "http://h/v1"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("openai", {"body": {"messages": []}}, "body must not contain `messages`: Polyant sets it for each call"),
        ("openai", {"body": {"stream": True, "model": "m"}}, "body must not contain `model`"),
        ("openai", {"body": {"tools": []}}, "body must not contain `tools`"),
        ("anthropic", {"body": {"system": "s"}}, "body must not contain `system`"),
        ("openai", {"body": {"a": "x" * 8192}}, "body must have at most 8192 bytes as JSON"),
        ("openai", {"body": []}, "Expected `object`, got `array` - at `$.options.openai.body`"),
        ("openai", {"headers": {}}, "Object contains unknown field `headers` - at `$.options.openai`"),
        ("openai", {"query": {"api-version": None}}, "got `null` - at `$.options.openai.query[...]`"),
        ("openai", {"query": {"api-key": "x"}}, "query must not contain `api-key`"),
        ("openai", {"query": {"key": "x"}}, "query must not contain `key`"),
        ("openai", {"query": {"a&b": "x"}}, "query must have parameter names"),
        ("openai", {"query": {"a": "x\n"}}, "printable characters for `a`"),
        ("openai", {"query": {"a": "x" * 257}}, "at most 256 printable characters for `a`"),
        ("openai", {"query": {f"a{n}": "x" for n in range(17)}}, "query must have at most 16 parameters"),
        ("openai", {"base_model": 5}, "Expected `str`, got `int` - at `$.options.openai.base_model`"),
    ],
)
def test_invalid_options_are_refused_with_the_name_at_fault(name: str, value: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        AdapterOptions(KINDS).check({name: value})
    assert message in caught.value.message
    assert f"$.options.{name}" in caught.value.message
