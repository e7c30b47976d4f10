"""Recorded text is bounded, is valid JSON, and contains no secret."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.chat import AssistantMessage, ModelMessage, ModelRequest, ToolCall, ToolResult, UserMessage
from polyant.domain.recorded_content import StepContent
from polyant.domain.secrets import SecretText
from polyant.domain.turn_content import MAX_CHARACTERS, TurnContent

SECRET = 'se"cr\\et-ü'
TEXT = st.text(max_size=30) | st.just(SECRET) | st.just("\ud800")


def step(*messages: ModelMessage, reply: str = "", system: str = "") -> StepContent:
    request = ModelRequest(model="demo", base_url="", api_key=None, system=system, messages=messages, deadline=math.inf)
    return TurnContent({"token": SecretText(SECRET)}).of_step(request, AssistantMessage(reply), "length")


def messages_in(content: StepContent) -> list[Any]:
    found: list[Any] = json.loads(content.input_messages)
    return found


def test_the_last_messages_are_kept_when_not_all_fit() -> None:
    texts = [f"{number} {'x' * (MAX_CHARACTERS // 3)}" for number in range(6)]
    omission, *kept = messages_in(step(*map(UserMessage.of, texts)))
    assert omission == {"role": "system", "parts": [{"type": "omission", "messages": 3}]}
    assert [message["parts"][0]["content"] for message in kept[1:]] == texts[4:]
    assert "characters left out]" in kept[0]["parts"][0]["content"]


def test_number_of_empty_messages_is_bounded() -> None:
    content = step(*[UserMessage.of("")] * 100_000)
    assert len(content.input_messages) < 4 * MAX_CHARACTERS


@pytest.mark.parametrize("field", ["system", "reply"])
def test_each_field_is_bounded(field: str) -> None:
    content = step(**{field: "y" * 1_000_000})
    (shortened,) = json.loads(content.system_instructions if field == "system" else content.output_messages)
    text = shortened["content"] if field == "system" else shortened["parts"][0]["content"]
    assert text == f"{'y' * MAX_CHARACTERS}… [{1_000_000 - MAX_CHARACTERS} characters left out]"


def test_a_secret_at_the_cut_is_removed_before_the_text_is_shortened() -> None:
    content = step(UserMessage.of(f"{'x' * (MAX_CHARACTERS - 4)}{SECRET}"))
    assert SECRET[:4] not in content.input_messages


def test_the_longer_one_of_nested_secrets_is_removed_whole() -> None:
    content = TurnContent({"short": SecretText("abc"), "long": SecretText("abcdef")})
    assert (
        content.of_tool(ToolCall(id="1", name="t", arguments="abcdef abc"), result_of("")).arguments == "[long] [short]"
    )


@pytest.mark.parametrize("arguments", ["", "{", "[" * 100_000, '{"a": 1e999}', '"\\ud800"', "\ud800"])
def test_invalid_arguments_are_recorded_as_text(arguments: str) -> None:
    call = ToolCall(id="1", name="t", arguments=arguments)
    (message,) = messages_in(step(AssistantMessage("", (call,))))
    assert isinstance(message["parts"][0]["arguments"], str)


def test_reason_of_the_end_is_that_of_the_conventions() -> None:
    (output,) = json.loads(step().output_messages)
    assert output["finish_reason"] == "length"


def test_reprs_contain_no_text() -> None:
    content = TurnContent({})
    tool = content.of_tool(ToolCall(id="1", name="t", arguments="canary"), result_of("canary"))
    assert "canary" not in f"{tool!r} {step(UserMessage.of('canary'))!r}"


@given(st.lists(TEXT, max_size=5), TEXT)
def test_any_text_becomes_valid_json_without_the_secret(texts: list[str], arguments: str) -> None:
    call = ToolCall(id="1", name="t", arguments=json.dumps({"value": arguments}))
    content = step(*map(UserMessage.of, texts), AssistantMessage("", (call,)), result_of(arguments))
    shown = content.input_messages
    assert json.loads(shown)
    assert SECRET not in json.dumps(json.loads(shown), ensure_ascii=False)
    assert json.dumps(SECRET)[1:-1] not in shown
    assert json.dumps(SECRET, ensure_ascii=False)[1:-1] not in shown


def result_of(content: str) -> ToolResult:
    return ToolResult(call_id="1", content=content)
