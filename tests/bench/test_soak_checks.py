"""The soak's checks accept correct responses and reject wrong ones."""

import json
from typing import Any

import pytest

from bench.soak_checks import (
    Reply,
    WrongAnswerError,
    check_broken_stream,
    check_envelope,
    check_stream,
    check_whole,
)

ID = f"chatcmpl-{'0' * 24}"
JSON = {"Content-Type": "application/json", "x-request-id": "req_1"}
EVENTS = {"Content-Type": "text/event-stream"}
MESSAGE = "The model provider failed"


def completion(**fields: Any) -> bytes:
    message = {"role": "assistant", "content": "Hello there"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    whole = {"id": ID, "object": "chat.completion", "created": 1, "model": "bot", "choices": [choice], "usage": {}}
    return json.dumps(whole | fields).encode()


def chunk(delta: dict[str, str], finish_reason: str | None = None, **fields: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    whole = {"id": ID, "object": "chat.completion.chunk", "created": 1, "model": "bot", "choices": [choice]}
    return json.dumps(whole | fields)


ROLE, LAST = chunk({"role": "assistant"}), chunk({}, "stop")
HELLO, THERE = chunk({"content": "Hello "}), chunk({"content": "there"})
ERROR = json.dumps({"error": {"statusCode": 502, "message": MESSAGE, "error": "Bad Gateway"}})


def stream(*events: str, end: str = "\n\n") -> Reply:
    return Reply(200, EVENTS, "\n\n".join(f"data: {event}" for event in events).encode() + end.encode())


def test_correct_whole_response_passes() -> None:
    check_whole(Reply(200, JSON, completion()), "bot", "Hello there")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(503, JSON, completion()),
        Reply(200, EVENTS, completion()),
        Reply(200, {"Content-Type": "application/json"}, completion()),
        Reply(200, JSON, completion(model="another")),
        Reply(200, JSON, completion(id="chatcmpl-1")),
        Reply(200, JSON, completion(choices=[])),
        Reply(200, JSON, completion(more=1)),
    ],
)
def test_wrong_whole_response_is_rejected(reply: Reply) -> None:
    with pytest.raises(WrongAnswerError):
        check_whole(reply, "bot", "Hello there")


def test_correct_stream_passes() -> None:
    check_stream(stream(ROLE, HELLO, THERE, LAST, "[DONE]"), "bot", "Hello there")


@pytest.mark.parametrize(
    "reply",
    [
        stream(ROLE, HELLO, THERE, LAST),
        stream(ROLE, HELLO, LAST, "[DONE]"),
        stream(ROLE, THERE, HELLO, LAST, "[DONE]"),
        stream(ROLE, HELLO, THERE, "[DONE]"),
        stream(HELLO, THERE, LAST, "[DONE]"),
        stream(ROLE, HELLO, THERE, ERROR, "[DONE]"),
        stream(ROLE, HELLO, THERE, LAST, "[DONE]", end="\n"),
        stream(ROLE, HELLO, chunk({"content": "there"}, id=f"chatcmpl-{'1' * 24}"), LAST, "[DONE]"),
        stream(ROLE, HELLO, '{"half', LAST, "[DONE]"),
        stream("[DONE]"),
        Reply(500, EVENTS, b""),
    ],
)
def test_wrong_stream_is_rejected(reply: Reply) -> None:
    with pytest.raises(WrongAnswerError):
        check_stream(reply, "bot", "Hello there")


def test_stream_that_ends_with_an_error_event_passes() -> None:
    check_broken_stream(stream(ROLE, HELLO, ERROR, "[DONE]"), "bot", "Hello there", MESSAGE)


@pytest.mark.parametrize(
    "reply",
    [
        stream(ROLE, HELLO, LAST, "[DONE]"),
        stream(ROLE, HELLO, ERROR),
        stream(ROLE, THERE, ERROR, "[DONE]"),
        stream(ROLE, HELLO, ERROR.replace("502", "500"), "[DONE]"),
    ],
)
def test_stream_that_ends_in_another_way_is_rejected(reply: Reply) -> None:
    with pytest.raises(WrongAnswerError):
        check_broken_stream(reply, "bot", "Hello there", MESSAGE)


ENVELOPE = '{"statusCode": 401, "message": "Invalid API key", "error": "Unauthorized"}'


def test_correct_error_passes() -> None:
    check_envelope(Reply(401, JSON, ENVELOPE.encode()), 401, "Invalid API key")


@pytest.mark.parametrize(
    "status, body",
    [
        (403, ENVELOPE),
        (401, ENVELOPE.replace("Invalid", "Wrong")),
        (401, '{"message": "Invalid API key", "statusCode": 401, "error": "Unauthorized"}'),
        (401, '{"statusCode": 401, "message": "Invalid API key"}'),
    ],
)
def test_wrong_error_is_rejected(status: int, body: str) -> None:
    with pytest.raises(WrongAnswerError):
        check_envelope(Reply(status, JSON, body.encode()), 401, "Invalid API key")
