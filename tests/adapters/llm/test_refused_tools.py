"""A provider's error that names a tool; the table takes one entry for each reported form."""

import json

import aiohttp
import msgspec
import pytest

from polyant.adapters.llm.anthropic_chat_model import AnthropicChatModel
from polyant.adapters.llm.openai_chat_model import OpenAIChatModel
from polyant.adapters.llm.refused_tools import refused_tools
from polyant.domain.chat import ModelRequest, ToolSpec
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import ProviderTimeouts
from polyant.testing.instant_clock import InstantClock
from polyant.testing.provider_scripts import events_of
from support.logs import collected
from support.upstream import Reply, ScriptedUpstream, Then, json_reply

TOOLS = ("calculate", "crm__find", "crm__find_all", "a")


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("Invalid schema for function 'crm__find': array schema missing items.", ["crm__find"]),
        ('Invalid schema for function "crm__find_all"', ["crm__find_all"]),
        ("tools.2.custom.input_schema: JSON schema is invalid.", ["crm__find_all"]),
        ("tools.1: Input tag 'x' found", ["crm__find"]),
        ("Invalid 'tools[0].function.parameters': x", ["calculate"]),
        ("GenerateContentRequest.tools[0].function_declarations[1].parameters: missing field", ["crm__find"]),
        ("tools.1.x and tools.2.y", ["crm__find", "crm__find_all"]),
        ("Could not calculate the number of tokens of a message", []),
        ("tools.17.custom.input_schema: JSON schema is invalid.", []),
        ("Unknown model", []),
        ("", []),
    ],
)
def test_named_tools_are_found(message: str, named: list[str]) -> None:
    assert refused_tools(json.dumps({"error": {"message": message}}).encode(), TOOLS) == tuple(named)


def test_error_that_repeats_the_request_names_no_tool() -> None:
    tools = tuple(f"tool_{number}" for number in range(20))
    assert refused_tools(json.dumps([{"name": name} for name in tools]).encode(), tools) == ()


@pytest.mark.parametrize("model_type", [OpenAIChatModel, AnthropicChatModel])
async def test_operator_reads_the_name_of_the_refused_tool(
    upstream: ScriptedUpstream,
    http: aiohttp.ClientSession,
    clock: InstantClock,
    model_request: ModelRequest,
    model_type: type[OpenAIChatModel | AnthropicChatModel],
) -> None:
    error = {"error": {"message": "Invalid schema for function 'crm__find': the text of the provider"}}
    upstream.otherwise = json_reply(error, status=400)
    spec = ToolSpec(name="crm__find", description="Finds.", parameters=msgspec.Raw(b'{"type":"object"}'))
    model = model_type(http=http, clock=clock, timeouts=ProviderTimeouts())
    with collected("polyant.llm") as records, pytest.raises(ProviderError) as caught:
        await events_of(model, msgspec.structs.replace(model_request, tools=(spec,)))
    assert caught.value.kind is ProviderFailure.BAD_REQUEST
    assert "crm__find" not in caught.value.message
    assert "refused the definition of the tool crm__find" in str(caught.value.hint)
    assert "refused the tools of the request: crm__find" in records[-1].getMessage()
    assert "text of the provider" not in f"{caught.value.explanation} {[each.getMessage() for each in records]}"


async def test_error_whose_body_breaks_off_keeps_its_kind(
    upstream: ScriptedUpstream, http: aiohttp.ClientSession, clock: InstantClock, model_request: ModelRequest
) -> None:
    upstream.otherwise = Reply(status=400, framing="chunked", pieces=(b"half", Then.CUT))
    model = OpenAIChatModel(http=http, clock=clock, timeouts=ProviderTimeouts())
    with pytest.raises(ProviderError) as caught:
        await events_of(model, model_request)
    assert caught.value.kind is ProviderFailure.BAD_REQUEST
