from typing import Any

import msgspec
import pytest

from polyant.adapters.llm.anthropic_request import encode_request
from polyant.domain.chat import (
    AssistantMessage,
    ModelMessage,
    ModelRequest,
    ProviderData,
    Sampling,
    ToolCall,
    ToolResult,
    ToolSpec,
    UserMessage,
)

TOOL = ToolSpec(name="weather", description="Tells it.", parameters=msgspec.Raw(b'{"type":"object"}'))
CALL = ToolCall(id="toolu_1", name="weather", arguments='{"city": "Oslo"}')
ROUND = (UserMessage.of("?"), AssistantMessage("", (CALL,)), ToolResult(call_id="toolu_1", content="Fog"))
REQUEST = ModelRequest(
    model="claude-haiku-4-5",
    base_url="https://api.anthropic.com/v1",
    api_key=None,
    system="Be brief.",
    messages=(UserMessage.of("Hello?"),),
    deadline=1.0,
)


def sent(**changes: Any) -> dict[str, Any]:
    """Returns the body of a request with these changes."""
    return msgspec.json.decode(encode_request(msgspec.structs.replace(REQUEST, **changes)), type=dict[str, Any])


def turns(*messages: ModelMessage) -> list[tuple[str, list[str]]]:
    """Returns the roles and texts that the messages are converted to."""
    return [
        (message["role"], [block["text"] for block in message["content"]])
        for message in sent(messages=messages)["messages"]
    ]


def test_unset_fields_except_max_tokens_are_not_sent() -> None:
    assert sent() == {
        "model": "claude-haiku-4-5",
        "max_tokens": 16_384,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
    }


def test_empty_system_prompt_is_left_out() -> None:
    assert "system" not in sent(system="")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Sampling(temperature=0.5), {"temperature": 0.5}),
        (Sampling(temperature=1.7), {"temperature": 1.0}),
        (Sampling(temperature=0.0, top_p=0.5), {"temperature": 0.0}),
        (Sampling(top_p=0.5), {"top_p": 0.5}),
        (Sampling(max_tokens=5), {"max_tokens": 5}),
        (Sampling(stop=("END", " ", "\n", "")), {"stop_sequences": ["END"]}),
        (Sampling(stop=("\n",), seed=7, presence_penalty=1.0, frequency_penalty=1.0), {}),
    ],
)
def test_supported_sampling_parameters_are_sent(given: Sampling, expected: dict[str, object]) -> None:
    plain = {"model", "system", "messages"} | ({"max_tokens"} - expected.keys())
    body = sent(sampling=given)
    assert {name: body[name] for name in body.keys() - plain} == expected


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        ("claude-3-5-haiku-20241022", True),
        ("claude-haiku-4-5-20251001", True),
        ("claude-sonnet-4-20250514", True),
        ("claude-opus-4-6", True),
        ("claude-opus-4-7", False),
        ("claude-sonnet-5", False),
        ("claude-haiku-5-5", False),
        ("anthropic/claude-opus-4.8", False),
        ("another-model", True),
    ],
)
def test_newer_models_receive_no_sampling_parameters(*, model: str, takes: bool) -> None:
    assert ("temperature" in sent(model=model, sampling=Sampling(temperature=0.5))) is takes
    assert ("top_p" in sent(model=model, sampling=Sampling(top_p=0.5))) is takes


def test_messages_of_one_role_become_one_turn() -> None:
    assert turns(
        UserMessage.of("a"), UserMessage.of("b"), AssistantMessage("c"), AssistantMessage("d"), UserMessage.of("e")
    ) == [("user", ["a", "b"]), ("assistant", ["c", "d"]), ("user", ["e"])]


def test_blank_messages_are_left_out() -> None:
    assert turns(UserMessage.of("a"), AssistantMessage(" "), UserMessage.of("\n"), UserMessage.of("b")) == [
        ("user", ["a", "b"])
    ]


@pytest.mark.parametrize(
    ("messages", "roles"),
    [
        ((), ["user"]),
        ((UserMessage.of(" "),), ["user"]),
        ((AssistantMessage("Hi."),), ["user", "assistant", "user"]),
        ((AssistantMessage("Hi."), UserMessage.of("a")), ["user", "assistant", "user"]),
        ((UserMessage.of("a"), AssistantMessage("Hi.")), ["user", "assistant", "user"]),
    ],
)
def test_first_and_last_messages_are_from_the_user(messages: tuple[ModelMessage, ...], roles: list[str]) -> None:
    assert [role for role, _ in turns(*messages)] == roles
    assert all(text.strip() for _, texts in turns(*messages) for text in texts)


def test_tool_calls_and_results_keep_their_form() -> None:
    second = ToolCall(id="toolu_2", name="weather", arguments="{}")
    messages = (
        UserMessage.of("How is it?"),
        AssistantMessage("Let me see.", (CALL, second)),
        ToolResult(call_id="toolu_1", content="Fog"),
        ToolResult(call_id="toolu_2", content="", is_error=True),
    )
    body = sent(messages=messages, tools=(TOOL,))
    assert body["tools"] == [{"name": "weather", "description": "Tells it.", "input_schema": {"type": "object"}}]
    assert "tool_choice" not in body
    assert [message["content"] for message in body["messages"][1:]] == [
        [
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
            {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}},
        ],
        [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Fog"},
            {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True},
        ],
    ]


def test_earlier_tools_are_declared_but_disabled_when_none_are_offered() -> None:
    body = sent(messages=ROUND)
    assert [tool["name"] for tool in body["tools"]] == ["weather"]
    assert body["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize("arguments", ["", "{", "[1]"])
def test_non_object_arguments_are_wrapped_in_an_object(arguments: str) -> None:
    call = msgspec.structs.replace(CALL, arguments=arguments)
    body = sent(messages=(UserMessage.of("?"), AssistantMessage("", (call,)), ROUND[-1]))
    assert body["messages"][1]["content"][0]["input"] == {"not_an_object": arguments}


def test_signed_thinking_returns_unchanged_before_the_tool_result() -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    blank, text = {"type": "text", "text": " "}, {"type": "text", "text": "Let me see."}
    state = [thinking, blank, text, {"type": "tool_use", "id": "old", "name": "weather", "input": {}}]
    data = ProviderData(provider="anthropic", model=REQUEST.model, data=msgspec.Raw(msgspec.json.encode(state)))
    messages = (ROUND[0], AssistantMessage("Let me see.", (CALL,), data), ROUND[2])
    use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}
    assert sent(messages=messages)["messages"][1]["content"] == [thinking, text, use]
    other = sent(model="claude-opus-4-1", messages=messages)["messages"][1]["content"]
    assert other == [text, use]


@pytest.mark.parametrize(("given", "max_tokens"), [(None, 16_384), (100, 4_100), (4_000, 8_000), (5_000, 5_000)])
def test_thinking_gets_its_budget_beside_the_caller_s_limit(given: int | None, max_tokens: int) -> None:
    thinking = {"type": "enabled", "budget_tokens": 4_000}
    body = sent(options={"body": {"thinking": thinking}}, sampling=Sampling(max_tokens=given, temperature=0.5))
    assert (body["thinking"], body["max_tokens"]) == (thinking, max_tokens)
    assert "temperature" not in body


def test_options_take_precedence() -> None:
    body = sent(
        options={"body": {"max_tokens": 9, "thinking": {"type": "disabled"}}}, sampling=Sampling(temperature=0.5)
    )
    assert (body["max_tokens"], body["temperature"]) == (9, 0.5)
