"""Responses of Anthropic and compatible servers; see `provider_inputs`."""

from typing import Any

import msgspec

from adapters.llm.provider_inputs import FAILED, PARIS, Call, Case
from polyant.testing.event_stream import event


def named(data: dict[str, Any]) -> bytes:
    return event(data, str(data["type"]))


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def text(value: str, index: int = 0) -> dict[str, Any]:
    return delta(index, "text_delta", text=value)


def stop(reason: Any = "end_turn", /, usage: Any = None, **fields: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **fields}, "usage": usage}


def sse(*data: dict[str, Any] | bytes, end: bytes = b"") -> bytes:
    opening = named({"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 3}}})
    return opening + b"".join(item if isinstance(item, bytes) else named(item) for item in data) + end


def message(*content: dict[str, Any], stop_reason: Any = "end_turn", **fields: Any) -> bytes:
    body = {"type": "message", "content": list(content), "stop_reason": stop_reason, **fields}
    return msgspec.json.encode(body)


BEGIN, HI, END = start(0, type="text", text=""), text("Hi"), {"type": "message_stop"}
PING = named({"type": "ping"})
THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {"city": "Paris"}}
SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "ants"}}
NO_INPUTS: tuple[Any, ...] = (None, [], "null")
BLOCK = b'{"type":"text","text":"Hi"}'
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result", "url": "u"}]}
NOT_FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "s1",
    "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
}


def error_cases() -> list[Case]:
    """Returns a case for each form of error, alone, and after text."""
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "m"}}
    forms: dict[str, tuple[bytes, str]] = {
        "error event": (named(overloaded), "overloaded"),
        "error event without a name": (event(overloaded), "overloaded"),
        "error event without an error": (named({"type": "error"}), FAILED),
        "error event with text": (b"event: error\ndata: gone\n\n", FAILED),
        "the field error": (b'error: {"code":400}\n\n', "bad_request"),
        "an error beside a ping": (event({"type": "ping", "error": {"type": "rate_limit_error"}}), "rate_limit"),
        "text in error": (event({"type": "error", "error": "invalid_request_error"}), "bad_request"),
        "no type": (event({"detail": "m"}), FAILED),
        "in the message": (named({"type": "message_start", "message": {"error": {"code": 429}}}), "rate_limit"),
        "beside the stop reason": (event(stop() | {"error": {"type": "overloaded_error"}}), "overloaded"),
        "data that is no JSON": (b"data: Internal Server Error\n\n", FAILED),
        "beside a text delta": (event(HI | {"error": {"type": "overloaded_error"}}), "overloaded"),
        "in a text delta": (event(delta(0, "text_delta", text="x", error={"code": 429})), "rate_limit"),
        "in a delta of its own": (event(delta(0, "error_delta", error={"message": "m"})), FAILED),
        "in the delta of the message": (event(stop(error={"type": "overloaded_error"})), "overloaded"),
        "beside the start of a block": (event(BEGIN | {"error": "m"}), FAILED),
        "beside the end of a block": (event({"type": "content_block_stop", "index": 0, "error": "m"}), FAILED),
        "beside the end": (event(END | {"error": "m"}), FAILED),
        "a block": (event(start(1, type="error", error={"type": "rate_limit_error"})), "rate_limit"),
        "in another object": (event({"response": {"error": {"code": 429}}}), "rate_limit"),
        "in an object of an unknown event": (event({"type": "new", "data": {"error": {"code": 429}}}), "rate_limit"),
        "an unknown type": (event({"type": "request_failed"}), FAILED),
        "an object that is in no field": (b'{"error":{"code":429}}\n\n', "rate_limit"),
        "an event named exception": (b'event: exception\ndata: {"message":"m"}\n\n', FAILED),
    }
    cases = []
    for name, (form, kind) in forms.items():
        cases += [
            Case(name=f"error: {name}", body=form, fails=kind),
            Case(name=f"error after text: {name}", body=sse(BEGIN, HI, form), text="Hi", fails=kind),
        ]
    whole = {
        "an error": ({"type": "error", "error": {"type": "rate_limit_error"}}, "rate_limit"),
        "an error without a type": ({"error": {"code": 401}}, "auth"),
        "detail": ({"detail": "m"}, FAILED),
        "code and message": ({"code": 429, "message": "m"}, "rate_limit"),
        "in an object": ({"type": "message", "content": [], "data": {"error": {"code": 429}}}, "rate_limit"),
        "a block": ({"type": "message", "content": [{"type": "error", "error": {"type": "api_error"}}]}, FAILED),
        "something else": ({"unexpected": 1}, FAILED),
    }
    return cases + [
        Case(name=f"whole error: {name}", body=msgspec.json.encode(body), fails=kind)
        for name, (body, kind) in whole.items()
    ]


TEXTS = [
    Case(
        name="text",
        body=sse(BEGIN, HI, {"type": "content_block_stop", "index": 0}, stop(), END),
        text="Hi",
        usage=(3, 0, 0),
    ),
    Case(name="pings and comments", body=sse(PING, BEGIN, b": hello\n\n", HI, PING, stop(), END), text="Hi"),
    Case(name="no stop event", body=sse(BEGIN, HI, stop()), text="Hi"),
    Case(name="no stop reason", body=sse(BEGIN, HI, END), text="Hi"),
    Case(name="no end", body=sse(BEGIN, HI), text="Hi", fails=FAILED),
    Case(name="nothing but the end", body=sse(END), fails=FAILED),
    Case(name="an empty answer", body=sse(stop(), END)),
    Case(name="an empty whole answer", body=message()),
    Case(name="content null", body=message()[:-1].replace(b"[]", b"null") + b"}"),
    Case(name="[DONE]", body=sse(BEGIN, HI, stop(), end=b"data: [DONE]\n\n"), text="Hi"),
    Case(name="no blank line at the end", body=sse(BEGIN, HI, stop(), END).rstrip(), text="Hi"),
    Case(name="no names", body=sse(*map(event, (BEGIN, HI, stop(), END))), text="Hi"),
    Case(
        name="objects in lines",
        text="Hi",
        body=b"\n".join(msgspec.json.encode(item) for item in (BEGIN, HI, stop(), END)),
    ),
    Case(
        name="whole",
        body=message({"type": "text", "text": "Hi"}, usage={"input_tokens": 3}),
        text="Hi",
        usage=(3, 0, 0),
    ),
    Case(name="whole with text as content", body=b'{"content":"Hi","stop_reason":"end_turn"}', text="Hi"),
    Case(name="whole as an event", body=b"data: %b\n\n" % message({"type": "text", "text": "Hi"}), text="Hi"),
    Case(name="whole without a stop reason", body=message({"type": "text", "text": "Hi"}, stop_reason=None), text="Hi"),
    Case(name="whole without content and stop reason", body=message(stop_reason=None), fails=FAILED),
    Case(name="whole with one block as content", text="Hi", body=message()[:-1].replace(b"[]", BLOCK) + b"}"),
    Case(name="whole with texts as content", text="Hi", body=message()[:-1].replace(b"[]", b'["H","i"]') + b"}"),
    Case(name="an event without a type", body=sse(BEGIN, b"data: {}\n\n", HI, stop()), text="Hi"),
    Case(name="no error", body=sse(BEGIN | {"error": {}}, HI, stop() | {"error": "none"}), text="Hi"),
    Case(name="no error in a delta", body=sse(BEGIN, delta(0, "text_delta", text="Hi", error=""), stop()), text="Hi"),
    Case(name="an error null", body=sse(BEGIN | {"error": None}, HI, stop(error=None)), text="Hi"),
    *(
        Case(name=f"index {index!r}", body=sse(BEGIN | {"index": index}, HI | {"index": index}, stop()), text="Hi")
        for index in ("0", 0.0, None)
    ),
    Case(
        name="no blank lines",
        text="Hi",
        body=b"".join(b"data: %b\n" % msgspec.json.encode(item) for item in (BEGIN, HI, stop(), END)),
    ),
    *(
        Case(name=f"stop reason {reason}", body=sse(BEGIN, HI, stop(reason)), text="Hi", fails=kind)
        for reason, kind in (("error", FAILED), ("overloaded", "overloaded"))
    ),
    Case(name="text at the start of a block", body=sse(start(0, type="text", text="H"), text("i"), stop()), text="Hi"),
    Case(name="text without a start", body=sse(HI, stop()), text="Hi"),
    Case(name="text null", body=sse(BEGIN, delta(0, "text_delta", text=None), HI, stop()), text="Hi"),
    Case(name="an unknown event", body=sse({"type": "new", "delta": {"text": "x"}}, BEGIN, HI, stop()), text="Hi"),
    Case(name="an unknown delta", body=sse(BEGIN, delta(0, "new_delta", new=7), HI, stop()), text="Hi"),
    Case(
        name="joined halves",
        text="😀",
        body=sse(BEGIN, text("@"), text("#"), stop()).replace(b"@", rb"\ud83d").replace(b"#", rb"\ude00", 1),
    ),
    Case(name="a lone half", body=sse(BEGIN, text("a@"), stop()).replace(b"@", rb"\ud83d"), text="a\ufffd"),
    Case(name="refusal", body=sse(BEGIN, HI, stop("refusal")), text="Hi", finish_reason="content_filter"),
    Case(
        name="refusal without text",
        text="Not this.",
        finish_reason="content_filter",
        body=sse(stop("refusal", stop_details={"type": "refusal", "explanation": "Not this."}), END),
    ),
    Case(
        name="refusal without text, whole",
        text="Not this.",
        finish_reason="content_filter",
        body=message(stop_reason="refusal", stop_details={"explanation": "Not this."}),
    ),
    *(
        Case(
            name=reason,
            body=sse(BEGIN, HI, stop(reason)),
            text="Hi",
            finish_reason="paused",
            state=[{"type": "text", "text": "Hi"}],
        )
        for reason in ("pause_turn", "compaction")
    ),
    Case(name="pause_turn without content", body=sse(stop("pause_turn")), finish_reason="stop"),
    Case(
        name="pause_turn beside a tool call",
        body=sse(start(0, **USE), stop("pause_turn")),
        calls=(Call("f", PARIS, "t1"),),
        finish_reason="tool_calls",
        state=[USE],
    ),
    Case(name="max_tokens", body=sse(BEGIN, HI, stop("max_tokens")), text="Hi", finish_reason="length"),
]

TOOL_CALLS = [
    Case(
        name="tool call",
        calls=(Call("f", PARIS, "t1"),),
        finish_reason="tool_calls",
        body=sse(
            start(0, type="tool_use", id="t1", name="f", input={}),
            delta(0, "input_json_delta", partial_json=""),
            delta(0, "input_json_delta", partial_json='{"city":'),
            delta(0, "input_json_delta", partial_json='"Paris"}'),
            stop("tool_use"),
            END,
        ),
    ),
    Case(name="tool call in one piece", body=sse(start(0, **USE), stop("tool_use")), calls=(Call("f", PARIS, "t1"),)),
    Case(
        name="tool call without input",
        body=sse(start(0, type="tool_use", id="t1", name="f"), stop("tool_use")),
        calls=(Call("f", "{}", "t1"),),
    ),
    *(
        Case(
            name=f"input {value!r}",
            body=message({**USE, "input": value}, stop_reason="tool_use"),
            calls=(Call("f", "{}", "t1"),),
        )
        for value in NO_INPUTS
    ),
    Case(
        name="each delta repeats the input so far",
        calls=(Call("f", PARIS, "t1"),),
        body=sse(
            start(0, type="tool_use", id="t1", name="f", input={}),
            delta(0, "input_json_delta", partial_json='{"ci'),
            delta(0, "input_json_delta", partial_json=PARIS),
            stop("tool_use"),
        ),
    ),
    Case(
        name="input as text",
        body=message({**USE, "input": PARIS}, stop_reason="tool_use"),
        calls=(Call("f", PARIS, "t1"),),
    ),
    Case(
        name="input as an object in a delta",
        calls=(Call("f", PARIS, "t1"),),
        body=sse(
            start(0, type="tool_use", id="t1", name="f", input={}),
            delta(0, "input_json_delta", partial_json={"city": "Paris"}),
            stop("tool_use"),
        ),
    ),
    Case(
        name="two tool calls at the same index",
        calls=(Call("f", PARIS, "t1"), Call("g", "{}", "t2")),
        body=sse(start(0, **USE), start(0, type="tool_use", id="t2", name="g", input={}), stop("tool_use")),
    ),
    Case(
        name="a field that is null in the tool call",
        calls=(Call("f", PARIS, "t1"),),
        body=message({**USE, "caller": None}, stop_reason="tool_use"),
    ),
    Case(
        name="a tool that the provider ran",
        body=message(SEARCH, FOUND, {"type": "text", "text": "Hi"}),
        text="Hi",
        state=[SEARCH, FOUND, {"type": "text", "text": "Hi"}],
    ),
]

STATES = [
    Case(
        name="signed thinking",
        text="Hi",
        calls=(Call("f", PARIS, "t1"),),
        state=[THINKING, {"type": "text", "text": "Hi"}, USE],
        body=sse(
            start(0, type="thinking", thinking="", signature=""),
            delta(0, "thinking_delta", thinking="Let me "),
            delta(0, "thinking_delta", thinking="see."),
            delta(0, "signature_delta", signature="c2ln"),
            start(1, type="text", text=""),
            text("H", 1),
            text("i", 1),
            start(2, type="tool_use", id="t1", name="f", input={}),
            delta(2, "input_json_delta", partial_json=PARIS),
            stop("tool_use"),
            END,
        ),
    ),
    Case(
        name="signed thinking, whole",
        text="Hi",
        calls=(Call("f", PARIS, "t1"),),
        state=[THINKING, REDACTED, {"type": "text", "text": "Hi"}, USE],
        body=message(THINKING, REDACTED, {"type": "text", "text": "Hi"}, USE, stop_reason="tool_use"),
    ),
    Case(
        name="redacted thinking",
        calls=(Call("f", PARIS, "t1"),),
        state=[REDACTED, USE],
        body=sse(start(0, **REDACTED), start(1, **USE), stop("tool_use")),
    ),
    Case(
        name="a tool that the provider ran, streamed",
        text="Hi",
        state=[SEARCH, FOUND, {"type": "text", "text": "Hi"}],
        body=sse(
            start(0, type="server_tool_use", id="s1", name="web_search", input={}),
            delta(0, "input_json_delta", partial_json='{"query":"ants"}'),
            start(1, **FOUND),
            start(2, type="text", text=""),
            text("Hi", 2),
            stop(),
            END,
        ),
    ),
    Case(
        name="the error of a tool that the provider ran",
        text="Hi",
        state=[SEARCH, NOT_FOUND, {"type": "text", "text": "Hi"}],
        body=sse(start(0, **SEARCH), start(1, **NOT_FOUND), start(2, type="text", text="Hi"), stop(), END),
    ),
    Case(
        name="a signature of the tool call",
        calls=(Call("f", PARIS, "t1"),),
        state=[{**USE, "signature": "s=="}],
        body=sse(start(0, **USE, signature="s=="), stop("tool_use")),
    ),
    Case(
        name="a signature of the tool call, in a delta",
        calls=(Call("f", PARIS, "t1"),),
        state=[{**USE, "signature": "s=="}],
        body=sse(start(0, **USE), delta(0, "signature_delta", signature="s=="), stop("tool_use")),
    ),
    Case(
        name="a field of the provider's own in the tool call, whole",
        calls=(Call("f", PARIS, "t1"),),
        state=[{**USE, "caller": {"type": "direct"}}],
        body=message({**USE, "caller": {"type": "direct"}}, stop_reason="tool_use"),
    ),
    Case(
        name="citations, whole",
        text="Hi",
        state=[{"type": "text", "text": "Hi", "citations": [{"url": "u"}]}],
        body=message({"type": "text", "text": "Hi", "citations": [{"url": "u"}]}),
    ),
    Case(
        name="a compaction",
        text="Hi",
        state=[{"type": "compaction", "content": "So far."}, {"type": "text", "text": "Hi"}],
        body=sse(
            start(0, type="compaction", content=None),
            delta(0, "compaction_delta", content="So "),
            delta(0, "compaction_delta", content="far."),
            start(1, type="text", text=""),
            text("Hi", 1),
            stop(),
        ),
    ),
    Case(
        name="citations",
        text="Hi",
        state=[{"type": "text", "text": "Hi", "citations": [{"url": "u"}]}],
        body=sse(BEGIN, HI, delta(0, "citations_delta", citation={"url": "u"}), stop(), END),
    ),
    Case(
        name="an unknown block",
        text="Hi",
        state=[{"type": "new", "x": 1}, {"type": "text", "text": "Hi"}],
        body=message({"type": "new", "x": 1}, {"type": "text", "text": "Hi"}),
    ),
]

USAGE = [
    Case(name=f"usage: {name}", body=sse(BEGIN, HI, stop("end_turn", usage)), text="Hi", usage=expected)
    for name, usage, expected in (
        ("none", None, (3, 0, 0)),
        ("text", "3", (3, 0, 0)),
        ("floats", {"output_tokens": 5.0}, (3, 5, 0)),
        ("texts", {"output_tokens": "5"}, (3, 5, 0)),
        ("negative", {"input_tokens": -1, "output_tokens": 5}, (0, 5, 0)),
        ("cached", {"output_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 2}, (12, 5, 7)),
        ("null counts", {"output_tokens": 5, "cache_read_input_tokens": None}, (3, 5, 0)),
    )
]

ANTHROPIC = [*error_cases(), *TEXTS, *TOOL_CALLS, *STATES, *USAGE]
