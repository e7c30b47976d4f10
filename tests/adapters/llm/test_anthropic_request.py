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
MARK = {"cache_control": {"type": "ephemeral"}}
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
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
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
    weather = {"name": "weather", "description": "Tells it.", "input_schema": {"type": "object"}}
    assert body["tools"] == [weather | MARK]
    assert "tool_choice" not in body
    assert [message["content"] for message in body["messages"][1:]] == [
        [
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
            {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}},
        ],
        [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Fog", **MARK},
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


def marked(body: dict[str, Any]) -> list[Any]:
    """Returns the places of the marks in the order of the provider's prefix."""
    blocks = [
        (f"{at}.{number}", block)
        for at, message in enumerate(body["messages"])
        for number, block in enumerate(message["content"])
    ]
    tools = [(tool["name"], tool) for tool in body.get("tools", ())]
    system = [(block["text"], block) for block in body.get("system", ())]
    return [place for place, block in (*tools, *system, *blocks) if "cache_control" in block]


def test_cache_marks_end_the_tools_and_the_prompt_of_a_single_message() -> None:
    other = msgspec.structs.replace(TOOL, name="time")
    assert marked(sent(tools=(TOOL, other))) == ["time", "Be brief."]


def test_caller_s_section_is_a_second_block_behind_the_mark() -> None:
    body = sent(system="Be brief.\n\n---\n\n# Caller", caller_section="# Caller")
    assert body["system"] == [{"type": "text", "text": "Be brief.", **MARK}, {"type": "text", "text": "# Caller"}]
    assert sent(system="# Caller", caller_section="# Caller")["system"] == [{"type": "text", "text": "# Caller"}]


def test_cache_marks_are_on_the_last_two_user_messages_of_a_conversation() -> None:
    messages = [(UserMessage.of(str(n)), AssistantMessage(str(n))) for n in range(3)]
    history = tuple(message for pair in messages for message in pair)
    assert marked(sent(messages=(*history, UserMessage.of("last")))) == ["Be brief.", "4.0", "6.0"]
    assert len(marked(sent(messages=(*history, UserMessage.of("last")), tools=(TOOL,)))) == 4


def test_cache_marks_in_a_tool_loop_are_never_on_empty_blocks() -> None:
    calls = tuple(msgspec.structs.replace(CALL, id=name) for name in "ab")
    results = (ToolResult(call_id="a", content="Fog"), ToolResult(call_id="b", content=" "))
    body = sent(messages=(UserMessage.of("?"), AssistantMessage("", calls), *results), tools=(TOOL,))
    assert marked(body) == ["weather", "Be brief.", "0.0", "2.0"]
    empty = sent(messages=(UserMessage.of("?"), AssistantMessage("", calls[:1]), ToolResult(call_id="a", content="")))
    assert marked(empty)[-1] == "0.0"


def test_operator_s_own_mark_replaces_those_on_messages() -> None:
    options = {"body": {"cache_control": {"type": "ephemeral", "ttl": "1h"}}}
    body = sent(messages=(*ROUND, AssistantMessage("Fog."), UserMessage.of("!")), options=options)
    assert marked(body) == ["weather", "Be brief."]
    assert body["cache_control"] == options["body"]["cache_control"]
