from typing import Any

import msgspec
import pytest

from polyant.adapters.llm.openai_request import encode_request
from polyant.domain.chat import (
    AssistantMessage,
    ModelRequest,
    ProviderData,
    ProviderFields,
    Sampling,
    ToolCall,
    ToolResult,
    ToolSpec,
    UserMessage,
)

ELSEWHERE = "http://127.0.0.1:11434/v1"
OPENAI = "https://api.openai.com/v1"
SAMPLING = Sampling(
    temperature=0.5, top_p=0.9, max_tokens=64, stop=("END",), seed=7, presence_penalty=0.1, frequency_penalty=-0.1
)
TOOL = ToolSpec(name="weather", description="Tells it.", parameters=msgspec.Raw(b'{"type":"object"}'))
REQUEST = ModelRequest(
    model="llama3.2",
    base_url=ELSEWHERE,
    api_key=None,
    system="Be brief.",
    messages=(UserMessage.of("Hello?"),),
    deadline=1.0,
)


def sent(*, include_usage: bool = False, **changes: Any) -> dict[str, Any]:
    """Returns the body of a request with these changes."""
    body = encode_request(msgspec.structs.replace(REQUEST, **changes), include_usage=include_usage)
    return msgspec.json.decode(body, type=dict[str, Any])


def test_unset_fields_are_not_sent() -> None:
    assert sent() == {
        "model": "llama3.2",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}],
    }


def test_empty_system_prompt_is_left_out() -> None:
    assert [message["role"] for message in sent(system="")["messages"]] == ["user"]


def test_sampling_parameters_are_sent() -> None:
    body = sent(sampling=SAMPLING)
    assert {name: body[name] for name in body.keys() - {"model", "messages"}} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 64,
        "stop": ["END"],
        "seed": 7,
        "presence_penalty": 0.1,
        "frequency_penalty": -0.1,
    }


def test_zero_is_sent() -> None:
    assert sent(sampling=Sampling(temperature=0.0, seed=0))["temperature"] == 0.0
    assert sent(sampling=Sampling(temperature=0.0, seed=0))["seed"] == 0


def test_stream_requests_its_usage() -> None:
    body = sent(stream=True, include_usage=True)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_tool_calls_and_results_keep_their_form() -> None:
    call = ToolCall(id="call_1", name="weather", arguments='{"city": "Oslo"}')
    messages = (
        UserMessage.of("How is it?"),
        AssistantMessage("Let me see.", (call,)),
        ToolResult(call_id="call_1", content="Fog", is_error=True),
        AssistantMessage("", (call,)),
    )
    in_wire_form = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
    }
    body = sent(messages=messages, tools=(TOOL,))
    assert body["messages"][1:] == [
        {"role": "user", "content": "How is it?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [in_wire_form]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Fog"},
        {"role": "assistant", "content": None, "tool_calls": [in_wire_form]},
    ]
    function = {"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}
    assert body["tools"] == [{"type": "function", "function": function}]


@pytest.mark.parametrize("empty", ["", " \n"])
def test_empty_assistant_message_is_left_out_and_its_neighbours_are_joined(empty: str) -> None:
    messages = (UserMessage.of("One"), AssistantMessage(empty), UserMessage.of("two"), UserMessage.of("three"))
    assert sent(messages=messages)["messages"][1:] == [
        {"role": "user", "content": "One\n\ntwo"},
        {"role": "user", "content": "three"},
    ]


def test_opaque_state_returns_to_the_model_that_gave_it() -> None:
    def kept(data: bytes, model: str = "llama3.2", provider: str = "openai") -> ProviderData:
        return ProviderData(provider=provider, model=model, data=msgspec.Raw(data))

    signed = ToolCall(id="a", name="weather", arguments="{}", provider_data=kept(b'{"extra_content":{"s":1}}'))
    other = ToolCall(id="b", name="weather", arguments="{}", provider_data=kept(b'{"extra_content":{"s":2}}', "other"))
    foreign = kept(b'[{"type":"thinking"}]', provider="anthropic")
    messages = (
        UserMessage.of("?"),
        AssistantMessage("Hm.", (signed, other), kept(b'{"reasoning_content":"So."}')),
        AssistantMessage("", (signed,), foreign),
    )
    first, second = sent(messages=messages)["messages"][2:]
    function = {"type": "function", "function": {"name": "weather", "arguments": "{}"}}
    calls = [{"id": "a", **function, "extra_content": {"s": 1}}, {"id": "b", **function}]
    assert first == {"role": "assistant", "content": "Hm.", "reasoning_content": "So.", "tool_calls": calls}
    assert second == {"role": "assistant", "content": None, "tool_calls": calls[:1]}


@pytest.mark.parametrize("arguments", ["", "{", "[1]", '"text"', '{"a":1} {'])
def test_non_object_arguments_are_wrapped_in_an_object(arguments: str) -> None:
    call = ToolCall(id="call_1", name="weather", arguments=arguments)
    body = sent(messages=(UserMessage.of("?"), AssistantMessage("", (call,))))
    function = body["messages"][2]["tool_calls"][0]["function"]
    assert msgspec.json.decode(function["arguments"]) == {"not_an_object": arguments}


def test_conversation_without_a_user_gets_an_empty_user_message() -> None:
    assert [message["role"] for message in sent(messages=(AssistantMessage("Hi."),))["messages"]] == [
        "system",
        "assistant",
        "user",
    ]
    assert sent(messages=())["messages"][-1]["content"].strip()


@pytest.mark.parametrize(
    "base_url",
    [
        OPENAI,
        "https://eu.api.openai.com/v1",
        "https://API.openai.com:443/v1",
        "https://ants.openai.azure.com/openai/v1",
        "https://ants.services.ai.azure.com/openai/v1",
    ],
)
def test_openai_receives_max_completion_tokens(base_url: str) -> None:
    body = sent(base_url=base_url, model="gpt-4.1", sampling=SAMPLING)
    assert ("max_tokens" in body, body["max_completion_tokens"], body["temperature"]) == (False, 64, 0.5)


@pytest.mark.parametrize("base_url", ["https://api.openai.com.evil.example/v1", "https://notapi.openai.com/v1"])
def test_other_servers_receive_max_tokens(base_url: str) -> None:
    assert sent(base_url=base_url, sampling=SAMPLING)["max_tokens"] == 64


@pytest.mark.parametrize("base_url", [OPENAI, ELSEWHERE])
@pytest.mark.parametrize(
    "model",
    ["o1", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5-mini", "gpt-5.6-luna", "gpt-6.1-terra", "openai/gpt-10"],
)
def test_reasoning_model_receives_no_sampling_parameters(base_url: str, model: str) -> None:
    body = sent(base_url=base_url, model=model, sampling=SAMPLING)
    assert body.keys() == {"model", "messages", "max_completion_tokens", "seed"}


@pytest.mark.parametrize(
    "model", ["gpt-4o", "gpt-4.1-mini", "gpt-5-chat-latest", "gpt-oss-120b", "o1x", "olmo-2", "qwen3"]
)
def test_other_models_receive_sampling_parameters(model: str) -> None:
    assert sent(base_url=OPENAI, model=model, sampling=SAMPLING)["temperature"] == 0.5


@pytest.mark.parametrize(
    ("base_url", "model", "effort"),
    [
        (OPENAI, "gpt-6.1-terra", "none"),
        (OPENAI, "gpt-5.6", "none"),
        (OPENAI, "gpt-5", None),
        (OPENAI, "o3", None),
        (OPENAI, "gpt-4.1", None),
        (ELSEWHERE, "gpt-6.1-terra", None),
    ],
)
def test_model_that_reasons_only_without_tools_gets_no_effort_with_tools(
    base_url: str, model: str, effort: str | None
) -> None:
    assert sent(base_url=base_url, model=model, tools=(TOOL,)).get("reasoning_effort") == effort
    assert "reasoning_effort" not in sent(base_url=base_url, model=model)


FIELDS = ProviderFields(
    response_format=msgspec.Raw(b'{"type":"json_object"}'),
    reasoning_effort="low",
    logit_bias={"50256": -100},
    verbosity="low",
    prompt_cache_key="k",
    safety_identifier="s",
    user="u",
)
ANYWHERE = {"response_format": {"type": "json_object"}, "reasoning_effort": "low", "logit_bias": {"50256": -100}}
OPENAI_ONLY = {"prompt_cache_key": "k", "safety_identifier": "s", "user": "u"}


@pytest.mark.parametrize(
    ("base_url", "model", "expected"),
    [
        (ELSEWHERE, "qwen3", ANYWHERE),
        (ELSEWHERE, "gpt-5", ANYWHERE.keys() - {"logit_bias"}),
        (OPENAI, "gpt-4.1", {"response_format", "logit_bias", *OPENAI_ONLY}),
        (OPENAI, "gpt-5", {"response_format", "reasoning_effort", "verbosity", *OPENAI_ONLY}),
        ("https://eu.api.openai.com/v1", "gpt-5", {"response_format", "reasoning_effort", "verbosity", *OPENAI_ONLY}),
        ("https://ants.openai.azure.com/openai/v1", "gpt-5", {"response_format", "reasoning_effort"}),
        ("https://api.openai.com.evil.example/v1", "qwen3", ANYWHERE),
    ],
)
def test_caller_fields_are_sent_where_they_are_accepted(base_url: str, model: str, expected: Any) -> None:
    plain = {"model", "messages"}
    body = sent(base_url=base_url, model=model, provider_fields=FIELDS)
    given = {**ANYWHERE, **OPENAI_ONLY, "verbosity": "low"}
    assert {name: body[name] for name in body.keys() - plain} == {name: given[name] for name in expected}


def test_response_format_is_sent_byte_by_byte() -> None:
    given = b'{"type":"json_schema","json_schema":{"name":"a","strict":true,"schema":{"x":[1.0,1e2, "\\u00e9"]}}}'
    fields = ProviderFields(response_format=msgspec.Raw(given))
    body = encode_request(msgspec.structs.replace(REQUEST, provider_fields=fields), include_usage=False)
    assert given in body


def test_tools_override_the_callers_reasoning_effort_where_they_exclude_reasoning() -> None:
    fields = ProviderFields(reasoning_effort="high")
    given: dict[str, Any] = {"base_url": OPENAI, "model": "gpt-5.6", "provider_fields": fields}
    assert sent(**given)["reasoning_effort"] == "high"
    assert sent(**given, tools=(TOOL,))["reasoning_effort"] == "none"
