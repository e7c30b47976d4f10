from typing import Any

import msgspec
import pytest

from polyant.adapters.llm.failures import CallFailedError
from polyant.adapters.llm.openai_response_reader import OpenAIResponseReader
from polyant.domain.chat import MAX_TOKENS, MAX_TOOL_CALLS, ModelFinished, ToolCall, Usage
from polyant.domain.errors import ProviderFailure

STOP = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
PARIS, OSLO = '{"city":"Paris"}', '{"city":"Oslo"}'


def delta(**fields: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def piece(arguments: object = None, *, name: str | None = None, **around: object) -> dict[str, Any]:
    """Returns a chunk with one piece of a tool call."""
    return delta(tool_calls=[{**around, "function": {"name": name, "arguments": arguments}}])


def read(*chunks: object) -> tuple[list[str], list[ToolCall | ModelFinished]]:
    """Returns the texts of a stream and what follows them."""
    answer = OpenAIResponseReader()
    texts = [answer.read_event(msgspec.json.encode(chunk)) for chunk in chunks]
    assert answer.complete
    return [text for text in texts if text], answer.end()


def call(name: str, arguments: str, call_id: str) -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments)


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
        {"choices": [{"index": 0, "delta": None}]},
        {"choices": [{"index": 0}]},
        delta(),
        delta(content=None, tool_calls=None, function_call=None, refusal=None),
        delta(content=""),
        delta(content=[]),
        delta(role="assistant", content="", reasoning_content="", reasoning=None),
        {"choices": [], "usage": None},
    ],
)
def test_chunk_without_text_yields_no_text(chunk: dict[str, Any]) -> None:
    answer = OpenAIResponseReader()
    assert answer.read_event(msgspec.json.encode(chunk)) == ""
    assert not answer.began
    assert not answer.complete


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "", "reasoning_content": "Let me think."},
        {"content": "", "reasoning": "Let me think."},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Let me think."}]}]},
    ],
    ids=["DeepSeek", "Groq", "Mistral"],
)
def test_reasoning_is_hidden_but_counts_as_the_first_token(fields: dict[str, Any]) -> None:
    answer = OpenAIResponseReader()
    assert answer.read_event(msgspec.json.encode(delta(role="assistant", **fields))) == ""
    assert answer.began
    assert not answer.complete


def test_content_may_be_a_list_of_parts() -> None:
    chunk = delta(content=[{"type": "text", "text": "an"}, {"type": "text", "text": "t"}])
    assert read(chunk, STOP)[0] == ["ant"]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("model_length", "length"),
        ("content_filter", "content_filter"),
        ("eos_token", "stop"),
    ],
)
def test_unknown_finish_reason_becomes_stop(reason: str, expected: str) -> None:
    assert read({"choices": [{"delta": {}, "finish_reason": reason}]})[1] == [
        ModelFinished(finish_reason=expected)  # type: ignore[arg-type]  # one of its literals
    ]


def test_last_reported_count_is_used() -> None:
    chunks = [{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": tokens}} for tokens in (1, None, 5)]
    assert read(STOP, *chunks)[1] == [ModelFinished(usage=Usage(3, 5))]
    assert read(STOP, *chunks[:2])[1] == [ModelFinished(usage=Usage(3, 1))]


def test_done_event_completes_an_answer_without_a_finish_reason() -> None:
    answer = OpenAIResponseReader()
    answer.read_event(b"[DONE]")
    assert answer.complete
    assert answer.done
    assert answer.read_event(b"rubbish") == ""


@pytest.mark.parametrize(
    ("chunks", "calls"),
    [
        (
            [
                piece("", index=0, id="a", name="weather"),
                piece('{"city":', index=0),
                piece("", index=1, id="b", name="weather"),
                piece(OSLO, index=1),
                piece('"Paris"}', index=0),
            ],
            [call("weather", PARIS, "a"), call("weather", OSLO, "b")],
        ),
        (
            [piece(PARIS, index=0, id="a", name="weather"), piece(OSLO, index=0, id="b", name="weather")],
            [call("weather", PARIS, "a"), call("weather", OSLO, "b")],
        ),
        (
            [piece(PARIS, index=0, id="", name="weather"), piece(OSLO, index=0, id="", name="weather")],
            [call("weather", PARIS, "call_1"), call("weather", OSLO, "call_2")],
        ),
        (
            [piece(PARIS, name="weather"), piece(None, name="time"), piece(None, name="time")],
            [call("weather", PARIS, "call_1"), call("time", "{}", "call_2"), call("time", "{}", "call_3")],
        ),
        (
            [piece('{"city":', id="a", name="weather"), piece('"Paris"}', id="a", name="weather")],
            [call("weather", PARIS, "a")],
        ),
        (
            [piece('{"city":', id="a", name="weather"), piece(OSLO, id="b", name="time"), piece('"Paris"}', id="a")],
            [call("weather", PARIS, "a"), call("time", OSLO, "b")],
        ),
        (
            [piece('{"city":', index=0, name="weather"), piece('"Paris"}', index=0, name="weather")],
            [call("weather", PARIS, "call_1")],
        ),
        (
            [piece({"city": "Paris"}, index=None, id=None, name="weather")],
            [call("weather", PARIS, "call_1")],
        ),
        (
            [piece("{", index=0, name="weather"), piece("}", index=0, id="late")],
            [call("weather", "{}", "late")],
        ),
        (
            [piece('{"city":', index=0, id="a", name="weather"), piece('"Paris"}')],
            [call("weather", PARIS, "a")],
        ),
        (
            [delta(tool_calls=[{"index": 0, "id": "a", "function": None}]), piece(PARIS, index=0, name="weather")],
            [call("weather", PARIS, "a")],
        ),
    ],
    ids=[
        "by index, interleaved",
        "whole, all at index 0",
        "whole, all at index 0, without ids",
        "without index and id",
        "id and name repeated, without index",
        "by id, interleaved",
        "name repeated, without ids",
        "arguments as an object",
        "id arrives late",
        "index only in the first piece",
        "name arrives late",
    ],
)
def test_tool_calls_are_joined_from_the_chunks(chunks: list[object], calls: list[ToolCall]) -> None:
    finished = ModelFinished(finish_reason="tool_calls")
    assert read(*chunks, STOP) == ([], [*calls, finished])


def test_truncated_tool_calls_keep_the_length_finish_reason() -> None:
    chunks = [piece("{", index=0, id="a", name="weather"), {"choices": [{"finish_reason": "length"}]}]
    assert read(*chunks)[1] == [call("weather", "{", "a"), ModelFinished(finish_reason="length")]


def test_tool_call_without_a_name_is_a_bad_response() -> None:
    with pytest.raises(CallFailedError):
        read(piece("{}", index=0, id="a"), STOP)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"error": {"message": "m", "type": "invalid_request_error", "code": "invalid_api_key"}}, "auth"),
        ({"error": {"message": "m", "code": 429}}, "rate_limit"),
        ({"error": {"message": "m", "code": "502"}, "choices": [{"delta": {"content": ""}}]}, "bad_response"),
        ({"error": {"message": "m", "status": "UNAVAILABLE"}}, "overloaded"),
        ({"error": "out of memory"}, "bad_response"),
        ({"object": "error", "message": "m", "type": "BadRequestError", "code": 400}, "bad_request"),
        ({"object": "error", "message": "m", "type": "rate_limit_error"}, "rate_limit"),
        ({"choices": [{"delta": {"content": "ant"}, "finish_reason": "error"}]}, "bad_response"),
    ],
)
def test_error_in_the_stream_becomes_a_failure_of_its_kind(error: dict[str, Any], kind: str) -> None:
    for read_it in (OpenAIResponseReader().read_event, OpenAIResponseReader().read_body):
        with pytest.raises(CallFailedError) as caught:
            read_it(msgspec.json.encode(error))
        assert caught.value.kind == kind


def test_whole_answer_is_read() -> None:
    answer = OpenAIResponseReader()
    message = {
        "content": "ant",
        "tool_calls": [
            {"id": "a", "function": {"name": "weather", "arguments": PARIS}},
            {"id": "b", "function": {"name": "weather", "arguments": OSLO}},
        ],
    }
    usage = {"prompt_tokens": 3, "completion_tokens": 5}
    body = {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": usage}
    assert answer.read_body(msgspec.json.encode(body)) == "ant"
    assert answer.end() == [
        call("weather", PARIS, "a"),
        call("weather", OSLO, "b"),
        ModelFinished(usage=Usage(3, 5), finish_reason="tool_calls"),
    ]


def test_whole_answer_may_lack_a_finish_reason() -> None:
    answer = OpenAIResponseReader()
    assert answer.read_body(b'{"choices":[{"message":{"content":"ant"},"finish_reason":null}]}') == "ant"
    assert answer.complete


@pytest.mark.parametrize("body", [b"{}", b'{"choices":[]}', b"[]", b"null"])
def test_whole_answer_without_choices_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(CallFailedError) as caught:
        OpenAIResponseReader().read_body(body)
    assert caught.value.kind is ProviderFailure.BAD_RESPONSE


@pytest.mark.parametrize(
    ("reported", "taken"), [(-5, 0), (2**63 - 1, MAX_TOKENS), (MAX_TOKENS, MAX_TOKENS), (MAX_TOKENS + 1, MAX_TOKENS)]
)
def test_token_counts_are_clamped(reported: int, taken: int) -> None:
    chunk = {"choices": [], "usage": {"prompt_tokens": reported, "completion_tokens": reported}}
    assert read(STOP, chunk)[1] == [ModelFinished(usage=Usage(taken, taken))]


def test_deltas_of_many_calls_belong_to_the_calls_of_their_ids() -> None:
    """The first ones, also if there are more than are kept."""
    opening = [{"id": f"id_{number}", "function": {"name": "f", "arguments": "{"}} for number in range(2_000)]
    closing = [{"id": f"id_{number}", "function": {"arguments": "}"}} for number in range(2_000)]
    chunks = [{"choices": [{"delta": {"tool_calls": [delta]}}]} for delta in (*opening, *closing)]
    calls = [event for event in read(*chunks, STOP)[1] if isinstance(event, ToolCall)]
    assert [(call.id, call.arguments) for call in calls] == [(f"id_{number}", "{}") for number in range(MAX_TOOL_CALLS)]
