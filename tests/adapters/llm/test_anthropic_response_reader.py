from typing import Any

import msgspec
import pytest

from polyant.adapters.llm.anthropic_response_reader import AnthropicResponseReader
from polyant.adapters.llm.failures import CallFailedError
from polyant.domain.chat import MAX_TOKENS, ModelFinished, ToolCall, Usage

STOP = {"type": "message_stop"}
START = {"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 5, "output_tokens": 1}}}


def read(*events: dict[str, Any]) -> tuple[list[str], list[ToolCall | ModelFinished]]:
    """Returns the texts of a stream and what follows them."""
    answer = AnthropicResponseReader()
    texts = [answer.read_event(msgspec.json.encode(event)) for event in events]
    assert answer.complete
    return [text for text in texts if text], answer.end()


def block_start(index: int, **block: object) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def block_delta(index: int, **delta: object) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def message_delta(reason: str | None, **usage: int | None) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "ping"},
        {"type": "something_new", "delta": {"text": "not text"}},
        START,
        block_start(0, type="text", text=""),
        block_start(0, type="thinking", thinking="hm", signature=""),
        block_start(0, type="something_new", text="not text"),
        block_delta(0, type="signature_delta", signature="x"),
        block_delta(9, type="input_json_delta", partial_json="{"),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_delta", "index": 0},
    ],
)
def test_event_without_text_yields_no_text(event: dict[str, Any]) -> None:
    answer = AnthropicResponseReader()
    assert answer.read_event(msgspec.json.encode(event)) == ""
    assert not answer.began
    assert not answer.complete


def test_thinking_is_hidden_but_counts_as_the_first_token() -> None:
    answer = AnthropicResponseReader()
    assert answer.read_event(msgspec.json.encode(block_delta(0, type="thinking_delta", thinking="hm"))) == ""
    assert answer.began
    assert not answer.complete


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_unknown_stop_reason_becomes_stop(reason: str, expected: str) -> None:
    finished = ModelFinished(finish_reason=expected)  # type: ignore[arg-type]  # one of its literals
    assert read(message_delta(reason), STOP)[1] == [finished]


def test_stop_reason_completes_an_answer_without_a_last_event() -> None:
    assert read(block_delta(0, type="text_delta", text="ant"), message_delta("end_turn"))[0] == ["ant"]


def test_usage_combines_the_first_and_last_events() -> None:
    start = {"input_tokens": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 100, "output_tokens": 1}
    message_start = {"type": "message_start", "message": {"usage": start}}
    assert read(message_start, message_delta("end_turn", output_tokens=30), STOP)[1] == [
        ModelFinished(usage=Usage(125, 30, 20))
    ]
    later = message_delta("end_turn", input_tokens=6, cache_read_input_tokens=None, output_tokens=30)
    assert read(message_start, later, STOP)[1] == [ModelFinished(usage=Usage(126, 30, 20))]


def test_tool_calls_are_joined_by_index() -> None:
    events = [
        block_start(0, type="text", text=""),
        block_delta(0, type="text_delta", text="Let me see."),
        block_start(1, type="tool_use", id="toolu_1", name="weather", input={}),
        block_delta(1, type="input_json_delta", partial_json=""),
        block_start(2, type="tool_use", id="toolu_2", name="time", input={}),
        block_delta(1, type="input_json_delta", partial_json='{"city":'),
        block_delta(1, type="input_json_delta", partial_json='"Oslo"}'),
        block_start(3, type="tool_use", id="toolu_3", name="weather", input={"city": "Paris"}),
        message_delta("tool_use"),
        STOP,
    ]
    assert read(*events) == (
        ["Let me see."],
        [
            ToolCall(id="toolu_1", name="weather", arguments='{"city":"Oslo"}'),
            ToolCall(id="toolu_2", name="time", arguments="{}"),
            ToolCall(id="toolu_3", name="weather", arguments='{"city":"Paris"}'),
            ModelFinished(finish_reason="tool_calls"),
        ],
    )


def test_events_after_the_end_are_ignored() -> None:
    answer = AnthropicResponseReader()
    answer.read_event(msgspec.json.encode(STOP))
    assert answer.done
    assert answer.read_event(b"rubbish") == ""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "overloaded_error", "message": "m"}, "overloaded"),
        ({"type": "rate_limit_error"}, "rate_limit"),
        ({"type": "authentication_error"}, "auth"),
        ({"type": "permission_error"}, "auth"),
        ({"type": "invalid_request_error"}, "bad_request"),
        ({"type": "api_error"}, "bad_response"),
        ({"type": "something_new"}, "bad_response"),
        ({}, "bad_response"),
    ],
)
def test_error_event_becomes_a_failure_of_its_kind(error: dict[str, str], kind: str) -> None:
    body = msgspec.json.encode({"type": "error", "error": error})
    for read_it in (AnthropicResponseReader().read_event, AnthropicResponseReader().read_body):
        with pytest.raises(CallFailedError) as caught:
            read_it(body)
        assert caught.value.kind == kind


def test_error_event_without_an_error_is_a_failure() -> None:
    with pytest.raises(CallFailedError):
        AnthropicResponseReader().read_event(b'{"type":"error"}')


@pytest.mark.parametrize("data", [b"[]", b'{"type":7}', b'{"type":"content_block_delta","index":[]}'])
def test_malformed_event_is_a_bad_response(data: bytes) -> None:
    with pytest.raises(CallFailedError) as caught:
        AnthropicResponseReader().read_event(data)
    assert caught.value.kind == "bad_response"


def test_whole_answer_skips_thinking_blocks() -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "text", "text": "an"},
        {"type": "text", "text": "t"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
    ]
    body = {"content": content, "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 5}}
    answer = AnthropicResponseReader()
    assert answer.read_body(msgspec.json.encode(body)) == "ant"
    assert answer.end() == [
        ToolCall(id="toolu_1", name="weather", arguments='{"city":"Oslo"}'),
        ModelFinished(usage=Usage(3, 5), finish_reason="tool_calls"),
    ]


def test_whole_answer_without_a_stop_reason_is_complete_if_it_has_content() -> None:
    """Its JSON is complete, so that nothing was cut off."""
    for content, is_complete in ((b'[{"type":"text","text":"an"}]', True), (b"[]", False), (b"null", False)):
        answer = AnthropicResponseReader()
        answer.read_body(b'{"content":%b}' % content)
        assert answer.complete is is_complete


def test_token_counts_are_clamped() -> None:
    reader = AnthropicResponseReader()
    for event in (START, message_delta("end_turn", input_tokens=-5, output_tokens=2**63 - 1)):
        reader.read_event(msgspec.json.encode(event))
    assert reader.usage == Usage(0, MAX_TOKENS)
