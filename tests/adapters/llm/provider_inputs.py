"""Response bodies of real providers, each with its meaning.

To add a report, add an entry. `test_provider_inputs.py` sends each body to streamed and to whole requests, in one piece
and in pieces, labelled correctly and wrongly: the body alone decides.
"""

from typing import Any

import msgspec

from polyant.testing.event_stream import event

DONE = b"data: [DONE]\n\n"
PARIS = '{"city":"Paris"}'
FAILED = "bad_response"


class Call(msgspec.Struct, frozen=True):
    """A tool call and its opaque state."""

    name: str
    arguments: str = "{}"
    id: str | None = None
    """The id, if the provider sends one."""
    state: Any = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A response body and its meaning."""

    name: str
    body: bytes
    text: str = ""
    calls: tuple[Call, ...] = ()
    fails: str | None = None
    """The kind of failure; text that precedes it in a stream has been passed on."""
    finish_reason: str | None = None
    usage: tuple[int, int, int] | None = None
    state: Any = None
    """The opaque state of the message."""


def chunk(*choices: Any, **fields: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "choices": list(choices), **fields}


def delta(finish_reason: Any = None, /, **fields: Any) -> dict[str, Any]:
    return chunk({"index": 0, "delta": fields, "finish_reason": finish_reason})


def call(arguments: Any = None, *, name: Any = None, **around: Any) -> dict[str, Any]:
    return delta(tool_calls=[{**around, "type": "function", "function": {"name": name, "arguments": arguments}}])


def sse(*data: Any, end: bytes = DONE) -> bytes:
    return b"".join(item if isinstance(item, bytes) else event(item) for item in data) + end


def message(finish_reason: Any = "stop", /, usage: Any = None, **fields: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **fields}, "finish_reason": finish_reason}
    body: dict[str, Any] = {"object": "chat.completion", "choices": [choice]}
    return msgspec.json.encode(body | ({} if usage is None else {"usage": usage}))


def escaped(text: str) -> bytes:
    r"""Returns a chunk whose content is this JSON text, for escapes such as \ud83d that no encoder writes."""
    return b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % text.encode()


def _nested(depth: int) -> bytes:
    return b"[" * depth + b'"Hi"' + b"]" * depth


HI, STOP, ROLE = delta(content="Hi"), delta("stop"), delta(role="assistant", content="")


def error_cases() -> list[Case]:
    """Returns a case for each form of error, alone, after text, and with the finish reason before it."""
    forms: dict[str, tuple[bytes, str]] = {
        "llama.cpp's field": (b'error: {"code":400,"message":"exceeds context"}\n\n', "bad_request"),
        "a field with text": (b"error: out of memory\n\n", FAILED),
        "an event named error": (b'event: error\ndata: {"message":"m","code":429}\n\n', "rate_limit"),
        "an event named error with text": (b"event: error\ndata: gone\n\n", FAILED),
        "an event named error without data": (b"event: error\n\n", FAILED),
        "text in error": (event({"error": "out of memory"}), FAILED),
        "an object in error": (event({"error": {"message": "m", "type": "invalid_request_error"}}), "bad_request"),
        "an array in error": (event({"error": [{"code": "invalid_api_key"}]}), "auth"),
        "true in error": (event({"error": True}), FAILED),
        "a status in error": (event({"error": 503}), FAILED),
        "an error beside choices": (event(delta(content="") | {"error": {"code": "502"}}), FAILED),
        "Google's error in an array": (b'data: [{"error":{"status":"RESOURCE_EXHAUSTED"}}]\n\n', "rate_limit"),
        "type error": (event({"type": "error", "error": {"type": "overloaded_error"}}), "overloaded"),
        "type error with a message": (event({"type": "error", "message": "m"}), FAILED),
        "vLLM's object": (event({"object": "error", "message": "m", "code": 400}), "bad_request"),
        "FastAPI's detail": (event({"detail": "Internal error"}), FAILED),
        "FastAPI's list of details": (event({"detail": [{"type": "missing"}]}), FAILED),
        "code and message": (event({"code": "429", "message": "m"}), "rate_limit"),
        "code and message beside empty choices": (event(chunk(code=401, message="m")), "auth"),
        "errors": (event({"success": False, "errors": [{"code": 7003, "message": "m"}]}), FAILED),
        "Baidu's fields": (event({"error_code": 336000, "error_msg": "m"}), FAILED),
        "Spring's fields": (event({"status": 503, "error": "Service Unavailable", "path": "/"}), "overloaded"),
        "Groq's extension": (event(chunk(x_groq={"error": "over_capacity"})), FAILED),
        "in the choice": (event(chunk({"delta": {}, "error": {"code": 429, "message": "m"}})), "rate_limit"),
        "in the delta": (event(delta(error={"code": 503})), "overloaded"),
        "finish_reason error": (event(delta("error")), FAILED),
        "finish_reason error beside text": (event(delta("error", content="Hi")), FAILED),
        "finish_reason abort": (event(delta("abort")), FAILED),
        "finish_reason of an error": (event(delta("model_error")), FAILED),
        "finish_reason timeout": (event(delta("timeout")), "timeout"),
        "Google's malformed call": (event(delta("function_call_filter: MALFORMED_FUNCTION_CALL")), FAILED),
        "other spelling of the field": (b'Error: {"code":429}\n\n', "rate_limit"),
        "other spelling of the event": (b'event: Error\ndata: {"code":429}\n\n', "rate_limit"),
        "other spelling in the data": (event({"Error": {"Message": "m"}}), FAILED),
        "err": (event({"err": "m"}), FAILED),
        "exception": (event({"exception": "java.lang.Error"}), FAILED),
        "Apigee's fault": (event({"fault": {"faultstring": "m", "detail": {"errorcode": "c"}}}), FAILED),
        "ok false": (event({"ok": False}), FAILED),
        "nothing but a status": (event({"statusCode": 429}), "rate_limit"),
        "a failed response": (event({"type": "response.failed", "response": {}}), FAILED),
        "an interrupted generation": (event(delta("insufficient_system_resource")), "overloaded"),
        "data that is no JSON": (b"data: Internal Server Error\n\n", FAILED),
        "data that is no object": (b'data: "Internal Server Error"\n\n', FAILED),
        "an event named exception": (b'event: exception\ndata: {"message":"m"}\n\n', FAILED),
        "an event named as its failure": (
            b'event: response.failed\ndata: {"response":{"error":{"code":"rate_limit_exceeded"}}}\n\n',
            "rate_limit",
        ),
        "a field exception": (b"exception: out of memory\n\n", FAILED),
        "an object that is in no field": (b'{"error":{"code":429}}\n\n', "rate_limit"),
        "a line of a proxy": (
            b"upstream connect error or disconnect before headers. reset reason: overflow\n\n",
            FAILED,
        ),
        "in another object": (event({"response": {"error": {"code": 429}}}), "rate_limit"),
        "in an object in a list": (event({"data": [{"error": "m"}]}), FAILED),
        "in another object beside empty choices": (event(chunk(metadata={"error": {"code": 503}})), "overloaded"),
        "in an object in the delta": (event(delta(content="", metadata={"error": {"code": 429}})), "rate_limit"),
        "in an object in the choice": (event(chunk({"delta": {}, "provider": {"error": {"code": 429}}})), "rate_limit"),
        "another name beside choices": (event(delta(content="") | {"upstream_error": {"code": 503}}), "overloaded"),
        "another name": (event({"provider_error": {"code": 503}}), "overloaded"),
        "Tencent's response": (event({"Response": {"Error": {"Code": "AuthFailure", "Message": "m"}}}), "auth"),
        "MiniMax's base_resp": (
            event({"choices": None, "base_resp": {"status_code": 1008, "status_msg": "m"}}),
            FAILED,
        ),
        "Spark's header": (event({"header": {"code": 10013, "message": "m", "sid": "s"}}), FAILED),
        "Bedrock's exception": (event({"throttlingException": {"message": "m"}}), "rate_limit"),
        "a status as text": (event({"title": "Internal Server Error", "status": "500"}), FAILED),
        "a status in capitals": (event({"status": "FAILED"}), FAILED),
        "a state": (event({"state": "failed"}), FAILED),
        "a type": (event({"type": "overloaded_error"}), "overloaded"),
        "success as text": (event({"success": "false"}), FAILED),
        "a code in words": (event({"error": {"code": "AuthenticationError", "message": "m"}}), "auth"),
        "finish_reason with more words": (event(delta("ERROR_LIMIT")), FAILED),
        "finish_reason engine_overloaded": (event(delta("engine_overloaded")), "overloaded"),
        "SGLang's finish_reason": (event(delta({"type": "abort", "message": "m"})), FAILED),
    }
    cases = []
    for name, (form, kind) in forms.items():
        cases += [
            Case(name=f"error: {name}", body=sse(form), fails=kind),
            Case(name=f"error after text: {name}", body=sse(ROLE, HI, form), text="Hi", fails=kind),
            Case(name=f"error after the end: {name}", body=sse(HI, STOP, form), text="Hi", fails=kind),
            Case(name=f"error, no blank line: {name}", body=sse(HI, form.strip(), end=b""), text="Hi", fails=kind),
        ]
    whole = {
        "text in error": ({"error": "out of memory"}, FAILED),
        "an error in many lists": ({"error": msgspec.Raw(_nested(700))}, FAILED),
        "an object in error": ({"error": {"code": 429}}, "rate_limit"),
        "an error in an array": ([{"error": {"status": "UNAVAILABLE"}}], "overloaded"),
        "type error": ({"type": "error", "error": {"type": "rate_limit_error"}}, "rate_limit"),
        "object error": ({"object": "error", "message": "m", "type": "BadRequestError"}, "bad_request"),
        "detail": ({"detail": "m"}, FAILED),
        "code and message": ({"code": 401, "message": "m"}, "auth"),
        "an error in the choice": ({"choices": [{"message": {"content": ""}, "error": {"code": 502}}]}, FAILED),
        "finish_reason error": ({"choices": [{"message": {"content": "Hi"}, "finish_reason": "error"}]}, FAILED),
        "finish_reason abort": ({"choices": [{"message": {"content": "Hi"}, "finish_reason": "abort"}]}, FAILED),
        "something else": ({"unexpected": 1}, FAILED),
        "nothing": ({"choices": []}, FAILED),
        "null": (None, FAILED),
    }
    return cases + [
        Case(name=f"whole error: {name}", body=msgspec.json.encode(body), fails=kind)
        for name, (body, kind) in whole.items()
    ]


def no_error_cases() -> list[Case]:
    """Returns a case for each value that means that there is no error."""
    codes: tuple[Any, ...] = ({"code": None, "message": None}, {"code": "", "message": ""}, {"code": 0, "message": "m"})
    values: tuple[Any, ...] = (None, False, "", {}, [], 0, "null", "none", [None], *codes)
    return [
        *(
            Case(name=f"no error: {value!r}", body=sse(HI | {"error": value}, STOP | {"error": value}), text="Hi")
            for value in values
        ),
        *(
            Case(
                name=f"no error in the choice: {value!r}",
                body=sse(chunk({"delta": {"content": "Hi"}, "error": value})),
                text="Hi",
            )
            for value in values
        ),
        *(
            Case(
                name=f"no error in the field: {value!r}",
                text="Hi",
                body=sse(b"error: %b\n\n" % msgspec.json.encode(value), HI, STOP),
            )
            for value in values
        ),
        Case(name="no error in the whole response", body=message(content="Hi")[:-1] + b',"error":{}}', text="Hi"),
        *(
            Case(name=f"no error: {name}", body=sse(report, HI, STOP), text="Hi")
            for name, report in {
                "code 0 and a message": {"code": 0, "message": "Success"},
                "code 0 as text": {"code": "0", "message": "Success"},
                "code 200": {"code": 200, "message": "OK"},
                "code OK": {"code": "OK", "message": "Done"},
                "status ok": {"status": "ok", "message": "queued"},
                "status 200": {"status": 200, "message": "started"},
                "Azure's filter that failed": chunk(
                    prompt_filter_results=[{"content_filter_result": {"error": {"code": "content_filter_error"}}}]
                ),
                "Azure's filter that failed, in the choice": chunk(
                    {"delta": {}, "content_filter_results": {"error": {"code": "content_filter_error"}}}
                ),
                "code 0 in another object": {"header": {"code": 0, "message": "Success"}},
                "MiniMax's base_resp": chunk(base_resp={"status_code": 0, "status_msg": "success"}),
                "the error of a website": chunk({"delta": {"annotations": [{"error": "not found"}]}}),
                "the error of a search result": chunk(search_results=[{"title": "t", "error": None}]),
                "a message in another object": chunk(metadata={"message": "m"}),
            }.items()
        ),
    ]


FRAMING = [
    Case(name="no [DONE]", body=sse(HI, STOP, end=b""), text="Hi"),
    Case(name="no finish reason", body=sse(HI), text="Hi"),
    Case(name="neither [DONE] nor finish reason", body=sse(HI, end=b""), text="Hi", fails=FAILED),
    Case(name="nothing but [DONE]", body=DONE, fails=FAILED),
    Case(name="nothing but a role", body=sse(ROLE), fails=FAILED),
    Case(name="nothing but reasoning", body=sse(delta(reasoning_content="Hm")), fails=FAILED),
    Case(name="nothing but usage", body=sse(chunk(usage={"prompt_tokens": 3})), fails=FAILED),
    Case(name="an empty body", body=b"", fails=FAILED),
    Case(name="a page", body=b"<html>", fails=FAILED),
    Case(name="an empty answer with a finish reason", body=sse(ROLE, STOP)),
    Case(name="an empty whole answer with a finish reason", body=message(content="")),
    Case(name="an empty whole answer without one", body=message(None, content=""), fails=FAILED),
    Case(name="a whole answer without a finish reason", body=message(None, content="Hi"), text="Hi"),
    Case(name="a whole answer", body=message(content="Hi"), text="Hi"),
    Case(name="a whole answer after a byte order mark", body=b"\xef\xbb\xbf\r\n " + message(content="Hi"), text="Hi"),
    Case(name="a whole answer as the only event", body=sse(msgspec.Raw(message(content="Hi"))), text="Hi"),
    Case(name="a whole answer after its deltas", body=sse(HI, msgspec.Raw(message(content="Hi"))), text="Hi"),
    Case(name="a truncated whole answer", body=message(content="Hi")[:-4], fails=FAILED),
    Case(name="a byte order mark", body=b"\xef\xbb\xbf" + sse(HI, STOP), text="Hi"),
    Case(name="CRLF", body=sse(HI, STOP).replace(b"\n", b"\r\n"), text="Hi"),
    Case(name="CR", body=sse(HI, STOP).replace(b"\n", b"\r"), text="Hi"),
    Case(name="comments", body=b": PROCESSING\n\n" + sse(HI, b": ping\n\n", STOP), text="Hi"),
    Case(name="blank lines first", body=b"\n\n\n" + sse(HI, STOP), text="Hi"),
    Case(name="blank data", body=sse(b"data:\n\n", HI, b"data:  \n\n", STOP), text="Hi"),
    Case(name="no space after data:", body=sse(HI, STOP).replace(b"data: ", b"data:"), text="Hi"),
    Case(name="named events", body=b"event: message\nid: 1\nretry: 3\n" + sse(HI, STOP), text="Hi"),
    Case(name="no blank line at the end", body=sse(HI, STOP, end=b"").rstrip(), text="Hi"),
    Case(name="no blank line after [DONE]", body=sse(HI).rstrip(), text="Hi"),
    *(
        Case(name=f"the end marker {marker!r}", body=sse(HI, end=b"data: %b\n\n" % marker), text="Hi")
        for marker in (b"[done]", b"DONE", b"[DONE]\0")
    ),
    *(
        Case(name=f"fields named {name!r}", body=sse(HI, STOP).replace(b"data: ", name), text="Hi")
        for name in (b" data: ", b"Data: ", b"data:\t", b"data : ")
    ),
    Case(name="no blank lines", body=sse(HI, STOP).replace(b"\n\n", b"\n"), text="Hi"),
    Case(name="no blank lines, CRLF", body=sse(HI, STOP).replace(b"\n\n", b"\r\n"), text="Hi"),
    Case(name="no blank lines, cut", body=sse(HI, end=b'data: {"cho').replace(b"\n\n", b"\n"), text="Hi", fails=FAILED),
    Case(
        name="an event in several lines",
        text="Hi",
        body=b"data: %b\n\n" % msgspec.json.format(msgspec.json.encode(HI)).replace(b"\n", b"\ndata: ") + sse(STOP),
    ),
    Case(name="objects in lines", body=msgspec.json.encode(HI) + b"\n" + msgspec.json.encode(STOP), text="Hi"),
    Case(
        name="objects in lines, with an error",
        text="Hi",
        body=msgspec.json.encode(HI) + b'\r\n{"error":{"code":429}}\n',
        fails="rate_limit",
    ),
    Case(
        name="objects in lines, with [DONE]",
        text="HiHi",
        body=b"\n".join((msgspec.json.encode(HI), b"", msgspec.json.encode(HI), b"[DONE]", b"")),
    ),
    Case(
        name="objects in lines, cut",
        text="Hi",
        body=msgspec.json.encode(HI) + b'\n{"cho',
        fails=FAILED,
    ),
    Case(
        name="objects in lines, cut after the finish reason",
        text="Hi",
        body=b"\n".join((msgspec.json.encode(HI), msgspec.json.encode(STOP), b'{"cho')),
    ),
    Case(
        name="objects in the lines of an array",
        text="HiHi",
        body=b"[%b,\r\n%b\n,%b\n]" % (msgspec.json.encode(HI), msgspec.json.encode(HI), msgspec.json.encode(STOP)),
    ),
    Case(name="a whole answer in a line", body=message(content="Hi") + b"\n\n", text="Hi"),
    Case(name="a whole error in a line", body=b'{"error":{"code":429}}\n', fails="rate_limit"),
    Case(
        name="an array in several lines",
        text="Hi",
        body=msgspec.json.format(msgspec.json.encode([HI, STOP])),
    ),
    Case(name="objects in an array", body=msgspec.json.encode([HI, STOP]), text="Hi"),
    Case(name="a whole answer in several lines", body=msgspec.json.format(message(content="Hi")), text="Hi"),
    Case(name="[DONE] in quotes", body=sse(HI, end=b'data: "[DONE]"\n\n'), text="Hi"),
    Case(name="an unfinished event after the finish reason", body=sse(HI, STOP, end=b'data: {"cho'), text="Hi"),
    Case(name="an unfinished event", body=sse(HI, end=b'data: {"cho'), text="Hi", fails=FAILED),
    Case(name="data after [DONE]", body=sse(HI, STOP) + b"data: rubbish\n\n", text="Hi"),
    Case(name="invalid UTF-8 in a text", body=sse(escaped("a"), STOP).replace(b'"a"', b'"a\xff"'), text="a\ufffd"),
    Case(
        name="a line break in a string", body=sse(b'data: {"choices":[{"delta":{"content":"a\tb"}}]}\n\n'), text="a\tb"
    ),
]

TEXTS = [
    Case(name="refusal", body=sse(delta(content=None, refusal="I "), delta(refusal="can't."), STOP), text="I can't."),
    Case(name="refusal, whole", body=message(content=None, refusal="I can't."), text="I can't."),
    Case(name="refusal null", body=sse(delta(content="Hi", refusal=None), STOP), text="Hi"),
    Case(name="refusal that isn't text", body=sse(delta(content="Hi", refusal=False), STOP), text="Hi"),
    Case(name="refusal as a part", body=message(content=[{"type": "refusal", "refusal": "No."}]), text="No."),
    Case(
        name="parts",
        body=sse(delta(content=[{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]), STOP),
        text="Hi",
    ),
    Case(name="one part", body=message(content={"type": "text", "text": "Hi"}), text="Hi"),
    Case(name="a part with a value", body=message(content=[{"type": "text", "text": {"value": "Hi"}}]), text="Hi"),
    *(
        Case(
            name=f"a text in {depth} lists",
            body=b'{"choices":[{"message":{"content":%b}}]}' % _nested(depth),
            text=text,
            fails=fails,
        )
        for depth, text, fails in ((10, "Hi", None), (700, "", FAILED))
    ),
    Case(name="parts as strings", body=message(content=["H", "i"]), text="Hi"),
    Case(name="parts that aren't text", body=message(content=[{"type": "image_url"}, None, 7]), text=""),
    Case(
        name="Mistral's thinking",
        text="Hi",
        state={"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]},
        body=message(
            content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, {"type": "text", "text": "Hi"}]
        ),
    ),
    Case(
        name="reasoning about errors",
        text="Hi",
        state={"reasoning_content": 'an "error": bad'},
        body=sse(delta(reasoning_content='an "error": bad'), HI, STOP),
    ),
    Case(name="content null", body=sse(delta(content=None), HI, STOP), text="Hi"),
    Case(name="delta null", body=sse(chunk({"delta": None}), HI, STOP), text="Hi"),
    Case(name="choices null", body=sse({"choices": None}, HI, STOP), text="Hi"),
    Case(name="text of the older API", body=sse(chunk({"text": "Hi", "finish_reason": "stop"})), text="Hi"),
    Case(
        name="Google's thoughts",
        text="Hi",
        body=sse(delta(content="<thought>Hm", extra_content={"google": {"thought": True}}), HI, STOP),
    ),
    Case(name="joined halves", body=sse(escaped(r"a\ud83d"), escaped(r"\ude00b"), STOP), text="a😀b"),
    Case(
        name="halves with an empty delta between",
        body=sse(escaped(r"\ud83d"), ROLE, escaped(r"\ude00"), STOP),
        text="😀",
    ),
    Case(name="a lone first half", body=sse(escaped(r"a\ud83d"), escaped("b"), STOP), text="a\ufffdb"),
    Case(name="a lone first half at the end", body=sse(escaped(r"a\ud83d"), STOP), text="a\ufffd"),
    Case(name="a lone second half", body=sse(escaped(r"a\udcaf"), STOP), text="a\ufffd"),
    Case(name="two first halves", body=sse(escaped(r"\ud83d"), escaped(r"\ud83d\ude00"), STOP), text="\ufffd😀"),
    Case(name="a lone half, whole", body=message(content="a@").replace(b"@", rb"\udcaf"), text="a\ufffd"),
    Case(name="a lone first half, whole", body=message(content="a@").replace(b"@", rb"\ud83d"), text="a\ufffd"),
    Case(
        name="halves as bytes",
        body=sse(escaped("@"), escaped("#"), STOP).replace(b"@", b"\xed\xa0\xbd").replace(b"#", b"\xed\xb8\x80"),
        text="😀",
    ),
]

NO_ARGUMENTS: tuple[Any, ...] = ("null", '""', "[]", [], '"{}"', '"null"')

TOOL_CALLS = [
    Case(name=f"tool call: {name}", body=sse(*chunks, delta("tool_calls")), calls=calls, finish_reason="tool_calls")
    for name, chunks, calls in (
        (
            "name repeated",
            [call("", index=0, id="c1", name="f"), call(PARIS, index=0, name="f")],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "name repeated after the arguments",
            [call(PARIS, index=0, id="c1", name="f"), call("", index=0, name="f")],
            (Call("f", PARIS, "c1"),),
        ),
        ("name repeated, no index", [call("", id="c1", name="f"), call(PARIS, name="f")], (Call("f", PARIS, "c1"),)),
        ("name repeated, no id", [call("", index=0, name="f"), call(PARIS, index=0, name="f")], (Call("f", PARIS),)),
        ("sent twice", [call(PARIS, index=0, id="c1", name="f")] * 2, (Call("f", PARIS, "c1"),)),
        (
            "sent twice, id only once",
            [call(PARIS, index=0, id="c1", name="f"), call(PARIS, index=0, name="f")],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "name split",
            [call(index=0, id="c1", name="get_"), call(index=0, name="weather"), call(PARIS, index=0)],
            (Call("get_weather", PARIS, "c1"),),
        ),
        (
            "name growing",
            [call(index=0, id="c1", name="get"), call(PARIS, index=0, name="get_it")],
            (Call("get_it", PARIS, "c1"),),
        ),
        (
            "index null",
            [call('{"city":', index=None, id="c1", name="f"), call('"Paris"}', index=None)],
            (Call("f", PARIS, "c1"),),
        ),
        ("id only first", [call('{"city":', id="c1", name="f"), call('"Paris"}')], (Call("f", PARIS, "c1"),)),
        ("id repeated", [call('{"city":', id="c1", name="f"), call('"Paris"}', id="c1")], (Call("f", PARIS, "c1"),)),
        (
            "empty id later",
            [call("", index=0, id="c1", name="f"), call(PARIS, index=0, id="", name="")],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "a new id with each piece",
            [call('{"city":', index=0, id="c1", name="f"), call('"Paris"}', index=0, id="c2")],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "a new id at the same index",
            [call(PARIS, index=0, id="c1", name="f"), call("", index=0, id="c2", name="g")],
            (Call("f", PARIS, "c1"), Call("g", "{}", "c2")),
        ),
        (
            "a new id at the same index, no arguments",
            [call("", index=0, id="c1", name="f"), call("", index=0, id="c2", name="f")],
            (Call("f", "{}", "c1"), Call("f", "{}", "c2")),
        ),
        ("number as id", [call(PARIS, index=0, id=7, name="f")], (Call("f", PARIS, "7"),)),
        ("index as text", [call("", index="0", id="c1", name="f"), call(PARIS, index="0")], (Call("f", PARIS, "c1"),)),
        (
            "two in one delta",
            [
                delta(
                    tool_calls=[
                        {"id": "c1", "function": {"name": "f", "arguments": PARIS}},
                        {"id": "c2", "function": {"name": "g", "arguments": "{}"}},
                    ]
                )
            ],
            (Call("f", PARIS, "c1"), Call("g", "{}", "c2")),
        ),
        (
            "two in one delta, no ids",
            [delta(tool_calls=[{"function": {"name": "f", "arguments": PARIS}}] * 2)],
            (Call("f", PARIS), Call("f", PARIS)),
        ),
        (
            "two interleaved",
            [
                call("", index=0, id="c1", name="f"),
                call("", index=1, id="c2", name="g"),
                call("{}", index=1),
                call(PARIS, index=0),
            ],
            (Call("f", PARIS, "c1"), Call("g", "{}", "c2")),
        ),
        (
            "one instead of a list",
            [delta(tool_calls={"id": "c1", "function": {"name": "f", "arguments": PARIS}})],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "without function",
            [delta(tool_calls=[{"id": "c1", "name": "f", "arguments": PARIS}])],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "tool_calls null later",
            [call(PARIS, index=0, id="c1", name="f"), delta(tool_calls=None, content=None)],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "an empty delta later",
            [call(PARIS, index=0, id="c1", name="f"), call("", index=1)],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "null in the list",
            [delta(tool_calls=[None, {"id": "c1", "function": {"name": "f"}}])],
            (Call("f", "{}", "c1"),),
        ),
        (
            "an object in a string in a string",
            [call(msgspec.json.encode(msgspec.json.encode(PARIS).decode()).decode(), index=0, id="c1", name="f")],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "each delta repeats the arguments so far",
            [call('{"ci', index=0, id="c1", name="f"), call('{"city":"Pa', index=0), call(PARIS, index=0)],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "the name again with the arguments, no id and no index",
            [call("", name="f"), call(PARIS, name="f"), call("", name="f")],
            (Call("f", PARIS),),
        ),
        (
            "two whose deltas repeat the arguments so far, no index",
            [call('{"ci', id="c1", name="f"), call(PARIS), call('{"b', id="c2", name="g"), call('{"b":1}')],
            (Call("f", PARIS, "c1"), Call("g", '{"b":1}', "c2")),
        ),
        (
            "two whose deltas repeat the arguments so far, no index and no ids",
            [call('{"ci', name="f"), call(PARIS), call('{"b', name="g"), call('{"b":1}')],
            (Call("f", PARIS), Call("g", '{"b":1}')),
        ),
        (
            "the pieces are numbered",
            [call('{"city":', index=0, id="c1", name="f"), call('"Paris"}', index=1)],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "the pieces are numbered from an empty one",
            [call("", index=0, id="c1", name="f"), call(PARIS, index=1)],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "a new id and the name with each piece",
            [call('{"city":', index=0, id="c1", name="f"), call('"Paris"}', index=0, id="c2", name="f")],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "a new id at the same index, same name",
            [call(PARIS, index=0, id="c1", name="f"), call("{}", index=0, id="c2", name="f")],
            (Call("f", PARIS, "c1"), Call("f", "{}", "c2")),
        ),
        (
            "the same id for all calls",
            [call(PARIS, index=0, id="c", name="f"), call("{}", index=1, id="c", name="g")],
            (Call("f", PARIS, "c"), Call("g", "{}", "c")),
        ),
        (
            "the same id for all calls, same name",
            [call(PARIS, index=0, id="c", name="f"), call("{}", index=1, id="c", name="f")],
            (Call("f", PARIS, "c"), Call("f", "{}", "c")),
        ),
        (
            "the same id for all calls, no index",
            [call(PARIS, id="c", name="f"), call("{}", id="c", name="g")],
            (Call("f", PARIS, "c"), Call("g", "{}", "c")),
        ),
        (
            "the pieces are numbered, with their id",
            [call('{"city":', index=0, id="c1", name="f"), call('"Paris"}', index=1, id="c1", name="f")],
            (Call("f", PARIS, "c1"),),
        ),
        ("a name with spaces", [call(PARIS, index=0, id="c1", name=" f\n")], (Call("f", PARIS, "c1"),)),
        (
            "an object by index",
            [delta(tool_calls={"0": {"id": "c1", "function": {"name": "f", "arguments": PARIS}}})],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "parameters",
            [delta(tool_calls=[{"id": "c1", "function": {"name": "f", "parameters": {"city": "Paris"}}}])],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "a custom tool",
            [delta(tool_calls=[{"id": "c1", "type": "custom", "custom": {"name": "f", "input": PARIS}}])],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "a signature in the function",
            [
                delta(
                    tool_calls=[
                        {"id": "c1", "function": {"name": "f", "arguments": "{}", "thought_signature": "s=="}},
                    ]
                )
            ],
            (Call("f", "{}", "c1", {"function": {"thought_signature": "s=="}}),),
        ),
        (
            "a signature under another name",
            [delta(tool_calls=[{"id": "c1", "function": {"name": "f"}, "thoughtSignature": "s==", "logprobs": 1}])],
            (Call("f", "{}", "c1", {"thoughtSignature": "s=="}),),
        ),
        (
            "a signature in pieces",
            [
                delta(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "f"}, "signature": "ab"}]),
                delta(tool_calls=[{"index": 0, "signature": "cd"}]),
            ],
            (Call("f", "{}", "c1", {"signature": "abcd"}),),
        ),
        (
            "Google's state in pieces",
            [
                delta(
                    tool_calls=[
                        {"index": 0, "id": "c1", "function": {"name": "f"}, "extra_content": {"google": {"a": 1}}}
                    ]
                ),
                delta(tool_calls=[{"index": 0, "extra_content": {"google": {"thought_signature": "s=="}}}]),
            ],
            (Call("f", "{}", "c1", {"extra_content": {"google": {"a": 1, "thought_signature": "s=="}}}),),
        ),
        ("arguments as an object", [call({"city": "Paris"}, index=0, id="c1", name="f")], (Call("f", PARIS, "c1"),)),
        ("arguments null", [call(None, index=0, id="c1", name="f")], (Call("f", "{}", "c1"),)),
        ("arguments blank", [call(" ", index=0, id="c1", name="f")], (Call("f", "{}", "c1"),)),
        (
            "an empty object first",
            [call("{}", index=0, id="c1", name="f"), call(PARIS, index=0)],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "an object in a string",
            [call('"{\\"city\\":\\"Paris\\"}"', index=0, id="c1", name="f")],
            (Call("f", PARIS, "c1"),),
        ),
        ("arguments that aren't JSON", [call("Paris", index=0, id="c1", name="f")], (Call("f", "Paris", "c1"),)),
        (
            "legacy",
            [delta(function_call={"name": "f", "arguments": ""}), delta(function_call={"arguments": PARIS})],
            (Call("f", PARIS),),
        ),
        (
            "legacy with the name repeated",
            [
                delta(function_call={"name": "f", "arguments": '{"city":'}),
                delta(function_call={"name": "f", "arguments": '"Paris"}'}),
            ],
            (Call("f", PARIS),),
        ),
        (
            "both forms",
            [delta(function_call={"name": "f", "arguments": PARIS}), call(PARIS, index=0, id="c1", name="f")],
            (Call("f", PARIS, "c1"),),
        ),
        (
            "joined halves",
            [
                call('{"q":"', index=0, id="c1", name="f"),
                msgspec.Raw(b'{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\\ud83d"}}]}}]}'),
                msgspec.Raw(b'{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\\ude00"}}]}}]}'),
                call('"}', index=0),
            ],
            (Call("f", '{"q":"😀"}', "c1"),),
        ),
        (
            "escaped halves",
            [call('{"q":"\\ud83d', index=0, id="c1", name="f"), call('\\ude00"}', index=0)],
            (Call("f", '{"q":"\\ud83d\\ude00"}', "c1"),),
        ),
        (
            "an escaped lone half",
            [call('{"q":"\\udcaf"}', index=0, id="c1", name="f")],
            (Call("f", '{"q":"\ufffd"}', "c1"),),
        ),
        (
            "Google's signature",
            [
                delta(
                    tool_calls=[
                        {
                            "index": 0,
                            "id": "c1",
                            "function": {"name": "f", "arguments": "{}"},
                            "extra_content": {"google": {"thought_signature": "s=="}},
                        }
                    ]
                )
            ],
            (Call("f", "{}", "c1", {"extra_content": {"google": {"thought_signature": "s=="}}}),),
        ),
        (
            "Google's signature in a delta of its own",
            [
                call("{}", index=0, id="c1", name="f"),
                delta(tool_calls=[{"index": 0, "extra_content": {"google": {"thought_signature": "s=="}}}]),
            ],
            (Call("f", "{}", "c1", {"extra_content": {"google": {"thought_signature": "s=="}}}),),
        ),
    )
] + [
    *(
        Case(
            name=f"tool call: arguments {value!r}",
            body=sse(call(value, index=0, id="c1", name="f"), STOP),
            calls=(Call("f", "{}", "c1"),),
        )
        for value in NO_ARGUMENTS
    ),
    Case(name="tool call without a name", body=sse(call(PARIS, index=0, id="c1"), STOP), fails=FAILED),
    Case(name="tool call with an empty name", body=sse(call(PARIS, index=0, id="c1", name=""), STOP), fails=FAILED),
    Case(
        name="tool call without a finish reason",
        body=sse(call(PARIS, id="c1", name="f")),
        calls=(Call("f", PARIS, "c1"),),
    ),
    Case(
        name="tool call, whole",
        text="Hi",
        calls=(Call("f", PARIS, "c1"),),
        body=message(
            "tool_calls",
            content="Hi",
            tool_calls=[{"id": "c1", "function": {"name": "f", "arguments": {"city": "Paris"}}}],
        ),
    ),
    Case(
        name="legacy tool call, whole",
        calls=(Call("f", PARIS),),
        body=message("function_call", content=None, function_call={"name": "f", "arguments": PARIS}),
    ),
    Case(
        name="state of a whole message",
        calls=(Call("f", PARIS, "c1"),),
        state={"reasoning_opaque": "o=="},
        body=message(
            "tool_calls",
            content=None,
            reasoning_opaque="o==",
            tool_calls=[{"id": "c1", "function": {"name": "f", "arguments": PARIS}}],
        ),
    ),
    Case(
        name="state of a whole message after its deltas",
        calls=(Call("f", PARIS, "c1"),),
        state={"reasoning_text": "Hm"},
        body=sse(
            delta(reasoning_text="Hm"),
            call(PARIS, index=0, id="c1", name="f"),
            msgspec.Raw(
                message(
                    "tool_calls",
                    reasoning_text="Hm",
                    tool_calls=[{"id": "c1", "function": {"name": "f", "arguments": PARIS}}],
                )
            ),
        ),
    ),
    Case(name="function_call null", body=message(content="Hi", tool_calls=None, function_call=None), text="Hi"),
    Case(name="no tool calls", body=message(content="Hi", tool_calls=[], function_call={}), text="Hi"),
]

FINISH_REASONS = [
    Case(name=f"finish reason {reason!r}", body=sse(HI, delta(reason)), text="Hi", finish_reason=expected)
    for reason, expected in (
        ("stop", "stop"),
        ("eos", "stop"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        (7, "stop"),
        ({"type": "stop"}, "stop"),
        ("tool_use", "tool_calls"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("content_filter", "content_filter"),
        ("SAFETY", "content_filter"),
        ("content_filter: RECITATION", "content_filter"),
        ("guardrail_intervened", "content_filter"),
        ("max_output_tokens", "length"),
        ("tool-calls", "tool_calls"),
        (None, "stop"),
        ("", "stop"),
        ("null", "stop"),
        ({}, "stop"),
        ({"type": "length"}, "length"),
        ({"reason": "content_filter"}, "content_filter"),
        ("ERROR_TOXIC", "content_filter"),
    )
] + [
    Case(
        name='finish reason "null" in each chunk',
        text="Hi",
        body=sse(delta("null", content="Hi"), end=b""),
        fails=FAILED,
    ),
    Case(
        name="finish reason beside the last text",
        text="Hi",
        body=sse(delta("length", content="Hi")),
        finish_reason="length",
    ),
]

USAGE = [
    Case(name=f"usage: {name}", body=sse(HI, *chunks), text="Hi", usage=usage)
    for name, chunks, usage in (
        ("none", [STOP], (0, 0, 0)),
        ("null", [STOP | {"usage": None}], (0, 0, 0)),
        ("text", [STOP | {"usage": "3"}], (0, 0, 0)),
        ("a list", [STOP | {"usage": [3]}], (0, 0, 0)),
        ("last, with empty choices", [STOP, chunk(usage={"prompt_tokens": 3, "completion_tokens": 5})], (3, 5, 0)),
        ("last, with choices null", [STOP, {"choices": None, "usage": {"prompt_tokens": 3}}], (3, 0, 0)),
        (
            "in each chunk",
            [end | {"usage": {"prompt_tokens": 3, "completion_tokens": n}} for n, end in ((1, ROLE), (2, STOP))],
            (3, 2, 0),
        ),
        (
            "in parts",
            [chunk(usage={"prompt_tokens": 9, "cached_tokens": 4}), STOP | {"usage": {"completion_tokens": 5}}],
            (9, 5, 4),
        ),
        (
            "Anthropic's names with its cache",
            [STOP | {"usage": {"input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 7}}],
            (110, 0, 100),
        ),
        (
            "OpenAI's names with Anthropic's cache",
            [STOP | {"usage": {"prompt_tokens": 110, "input_tokens": 3, "cache_read_input_tokens": 100}}],
            (110, 0, 100),
        ),
        ("Mistral's cached", [STOP | {"usage": {"prompt_tokens": 9, "num_cached_tokens": 4}}], (9, 0, 4)),
        ("JavaScript's names", [STOP | {"usage": {"promptTokens": 3, "completionTokens": 5}}], (3, 5, 0)),
        ("floats", [STOP | {"usage": {"prompt_tokens": 3.0, "completion_tokens": 5.9}}], (3, 5, 0)),
        ("texts", [STOP | {"usage": {"prompt_tokens": "3", "completion_tokens": "many"}}], (3, 0, 0)),
        ("negative", [STOP | {"usage": {"prompt_tokens": -3, "completion_tokens": 5}}], (0, 5, 0)),
        (
            "infinite",
            [b'data: {"choices":[],"usage":{"prompt_tokens":1e999,"completion_tokens":NaN}}\n\n', STOP],
            (2**53, 0, 0),
        ),
        ("Anthropic's names", [STOP | {"usage": {"input_tokens": 3, "output_tokens": 5}}], (3, 5, 0)),
        ("in the choice", [chunk({"delta": {}, "finish_reason": "stop", "usage": {"prompt_tokens": 3}})], (3, 0, 0)),
        ("in the delta", [delta("stop", usage={"prompt_tokens": 3})], (3, 0, 0)),
        ("Groq's", [STOP | {"x_groq": {"usage": {"prompt_tokens": 3}}}], (3, 0, 0)),
        ("cached", [STOP | {"usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}}], (9, 0, 4)),
        ("cached null", [STOP | {"usage": {"prompt_tokens": 9, "prompt_tokens_details": None}}], (9, 0, 0)),
        ("cached, DeepSeek's", [STOP | {"usage": {"prompt_tokens": 9, "prompt_cache_hit_tokens": 4}}], (9, 0, 4)),
        ("more cached than sent", [STOP | {"usage": {"prompt_tokens": 9, "cached_tokens": 12}}], (9, 0, 9)),
    )
]

STATES = [
    Case(
        name=f"state: {name}",
        body=sse(*chunks, call("{}", index=0, id="c1", name="f"), STOP),
        state=state,
        calls=(Call("f", "{}", "c1"),),
    )
    for name, chunks, state in (
        (
            "DeepSeek's",
            [delta(reasoning_content="Let "), delta(reasoning_content="me.")],
            {"reasoning_content": "Let me."},
        ),
        ("Groq's", [delta(reasoning="Let "), delta(reasoning="me.")], {"reasoning": "Let me."}),
        (
            "OpenRouter's",
            [
                delta(
                    reasoning="a",
                    reasoning_details=[{"type": "reasoning.text", "text": "a", "index": 0, "format": "x"}],
                ),
                delta(reasoning="b", reasoning_details=[{"type": "reasoning.text", "text": "b", "index": 0}]),
                delta(reasoning_details=[{"type": "reasoning.text", "signature": "s==", "index": 0}]),
                delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "e==", "index": 1}]),
            ],
            {
                "reasoning": "ab",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "ab", "index": 0, "format": "x", "signature": "s=="},
                    {"type": "reasoning.encrypted", "data": "e==", "index": 1},
                ],
            },
        ),
        (
            "OpenRouter's, encrypted",
            [
                delta(
                    reasoning_details=[
                        {"type": "reasoning.encrypted", "data": "a=="},
                        {"type": "reasoning.encrypted", "data": "b=="},
                    ]
                ),
            ],
            {
                "reasoning_details": [
                    {"type": "reasoning.encrypted", "data": "a=="},
                    {"type": "reasoning.encrypted", "data": "b=="},
                ]
            },
        ),
        (
            "Google's on the message",
            [delta(content="", extra_content={"google": {"thought_signature": "s=="}})],
            {"extra_content": {"google": {"thought_signature": "s=="}}},
        ),
        (
            "LiteLLM's",
            [delta(thinking_blocks=[{"type": "thinking", "thinking": "a", "signature": "s=="}])],
            {"thinking_blocks": [{"type": "thinking", "thinking": "a", "signature": "s=="}]},
        ),
        (
            "LiteLLM's, in several deltas",
            [
                delta(thinking_blocks=[{"type": "thinking", "thinking": "a", "signature": None}]),
                delta(thinking_blocks=[{"type": "thinking", "thinking": "b"}]),
                delta(thinking_blocks=[{"type": "thinking", "thinking": "", "signature": "s=="}]),
                delta(thinking_blocks=[{"type": "redacted_thinking", "data": "e=="}]),
                delta(thinking_blocks=[{"type": "redacted_thinking", "data": "f=="}]),
            ],
            {
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "ab", "signature": "s=="},
                    {"type": "redacted_thinking", "data": "e=="},
                    {"type": "redacted_thinking", "data": "f=="},
                ]
            },
        ),
        (
            "Copilot's",
            [delta(reasoning_text="Let "), delta(reasoning_text="me."), delta(content="", reasoning_opaque="o==")],
            {"reasoning_text": "Let me.", "reasoning_opaque": "o=="},
        ),
        ("xAI's", [delta(encrypted_content="e==")], {"encrypted_content": "e=="}),
        *(
            (f"the field {name}", [delta(**{name: "a"}), delta(**{name: "b"})], {name: "ab"})
            for name in ("reasoning_summary", "thinking_content", "reasoningSignature", "thoughtSignature")
        ),
        (
            "LiteLLM's for Google",
            [delta(provider_specific_fields={"thought_signatures": ["s=="]})],
            {"provider_specific_fields": {"thought_signatures": ["s=="]}},
        ),
        (
            "a signature in a delta of its own",
            [delta(reasoning="Hm"), delta(signature="s==")],
            {"reasoning": "Hm", "signature": "s=="},
        ),
        ("fields that aren't opaque", [delta(audio={"id": "a"}, annotations=["thought"], name="x")], None),
        (
            "Mistral's",
            [
                delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Let "}], "closed": True}]),
                delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "me."}], "closed": True}]),
            ],
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Let me."}], "closed": True}]},
        ),
        (
            "Databricks'",
            [
                delta(content=[{"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]}]),
                delta(content=[{"type": "reasoning", "summary": [{"type": "summary_text", "signature": "s=="}]}]),
            ],
            {
                "content": [
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a", "signature": "s=="}]}
                ]
            },
        ),
        (
            "a signature that is sent again",
            [delta(reasoning_opaque="o=="), delta(reasoning_opaque="o==")],
            {"reasoning_opaque": "o=="},
        ),
        (
            "Google's that is sent again",
            [delta(extra_content={"google": {"thought_signature": "s=="}})] * 2,
            {"extra_content": {"google": {"thought_signature": "s=="}}},
        ),
        (
            "LiteLLM's for Google, sent again",
            [delta(provider_specific_fields={"thought_signatures": ["s=="]})] * 2,
            {"provider_specific_fields": {"thought_signatures": ["s=="]}},
        ),
        (
            "equal pieces of text",
            [delta(reasoning_text="ha"), delta(reasoning_text="ha"), delta(thinking="ha"), delta(thinking="ha")],
            {"reasoning_text": "haha", "thinking": "haha"},
        ),
        (
            "a signature in pieces",
            [delta(signature="ab"), delta(signature="cd")],
            {"signature": "abcd"},
        ),
        ("empty", [delta(reasoning_content="", reasoning=None, reasoning_details=[], extra_content={})], None),
    )
]

OPENAI = [*error_cases(), *no_error_cases(), *FRAMING, *TEXTS, *TOOL_CALLS, *FINISH_REASONS, *USAGE, *STATES]
