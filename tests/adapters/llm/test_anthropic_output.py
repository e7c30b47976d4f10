"""The caller's response format and reasoning effort in Anthropic's form."""

from typing import Any

import msgspec
import pytest

from polyant.adapters.llm.anthropic_output import output_config
from polyant.adapters.llm.anthropic_request import encode_request
from polyant.domain.chat import ModelRequest, ProviderFields, UserMessage

SCHEMA = b'{"type":"object","properties":{"n":{"type":"number","maximum":1e2}},"additionalProperties":false}'
STRICT = b'{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":%b}}' % SCHEMA


def config(model: str, **fields: Any) -> object:
    """Returns the output configuration as JSON data, or None."""
    return msgspec.to_builtins(output_config(ProviderFields(**fields), model))


def test_request_contains_the_schema_byte_by_byte() -> None:
    request = ModelRequest(
        model="claude-haiku-4-5",
        base_url="https://api.anthropic.com/v1",
        api_key=None,
        system="",
        messages=(UserMessage.of("Hello?"),),
        provider_fields=ProviderFields(response_format=msgspec.Raw(STRICT)),
        deadline=1.0,
    )
    expected = b'"output_config":{"format":{"type":"json_schema","schema":%b}}' % SCHEMA
    assert expected in encode_request(request)


@pytest.mark.parametrize(
    ("model", "accepts"),
    [
        ("claude-haiku-4-5-20251001", True),
        ("claude-opus-4-6", True),
        ("claude-haiku-5-5", True),
        ("another-model", True),
        ("claude-sonnet-4-20250514", False),
        ("claude-opus-4-1", False),
        ("claude-3-5-haiku-20241022", False),
        ("claude-3-opus-20240229", False),
    ],
)
def test_schema_is_sent_unless_the_model_is_too_old(*, model: str, accepts: bool) -> None:
    assert (output_config(ProviderFields(response_format=msgspec.Raw(STRICT)), model) is not None) is accepts


@pytest.mark.parametrize(
    "response_format",
    [
        b'{"type":"text"}',
        b'{"type":"json_object"}',
        b'{"type":"json_schema"}',
        b'{"type":"json_schema","json_schema":{"name":"a"}}',
        b'{"type":"json_schema","json_schema":{"name":"a","schema":null}}',
        b'{"type":"json_schema","json_schema":7}',
    ],
)
def test_format_without_a_schema_has_no_equivalent(response_format: bytes) -> None:
    assert config("claude-haiku-5-5", response_format=msgspec.Raw(response_format)) is None


@pytest.mark.parametrize(
    ("model", "requested", "sent"),
    [
        ("claude-opus-4-6", "none", "low"),
        ("claude-opus-4-6", "minimal", "low"),
        ("claude-opus-4-6", "medium", "medium"),
        ("claude-opus-4-6", "xhigh", "high"),
        ("claude-opus-4-7", "xhigh", "xhigh"),
        ("claude-haiku-5-5", "max", "max"),
        ("claude-haiku-5-5", "extreme", None),
        ("claude-haiku-5-5", None, None),
        ("claude-haiku-4-5", "high", None),
        ("claude-3-5-haiku-20241022", "high", None),
        ("another-model", "high", None),
    ],
)
def test_effort_is_sent_to_models_that_have_it(model: str, requested: str | None, sent: str | None) -> None:
    found = output_config(ProviderFields(reasoning_effort=requested), model)
    assert (None if found is None else found.effort) == sent


def test_fields_without_an_equivalent_are_not_sent() -> None:
    assert config("claude-haiku-5-5", logit_bias={"1": 1}, verbosity="low", user="u", prompt_cache_key="k") is None
