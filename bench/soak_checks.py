"""Exact checks of correct responses."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

_ID = re.compile(r"\Achatcmpl-[0-9a-f]{24}\Z")
_JSON = "application/json"
_EVENTS = "text/event-stream"


class WrongAnswerError(Exception):
    """A response is wrong; the message contains the expected and the actual value."""


class Reply(NamedTuple):
    """A response that was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)


def check(actual: object, expected: object, what: str) -> None:
    """Checks that both are equal.

    Raises:
        WrongAnswerError: They differ.
    """
    if actual != expected:
        raise WrongAnswerError(f"{what} is {_short(actual)} instead of {_short(expected)}")


def check_json(reply: Reply, status: int = 200) -> Any:
    """Returns the decoded body of a response that has that status and a request id."""
    check(reply.status, status, f"the status (body {_short(reply.body)})")
    check(reply.headers.get("Content-Type"), _JSON, "the content type")
    check("x-request-id" in reply.headers, True, "whether there is a request id")
    return reply.json


def check_envelope(reply: Reply, status: int, message: str) -> None:
    """Checks an error response: three keys in a fixed order."""
    expected = {"statusCode": status, "message": message, "error": HTTPStatus(status).phrase}
    check(list(check_json(reply, status).items()), list(expected.items()), "the error")


def check_whole(reply: Reply, slug: str, text: str) -> None:
    """Checks a response that isn't streamed."""
    completion = check_json(reply)
    check(list(completion), ["id", "object", "created", "model", "choices", "usage"], "the order of keys")
    _check_frame(completion, "chat.completion", slug)
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    check(completion["choices"], [choice], "the choice")


def check_stream(reply: Reply, slug: str, text: str) -> None:
    """Checks a successful stream: role, text, end, [DONE]."""
    *chunks, done = _events(reply)
    check(done, "[DONE]", "the last event")
    first, *middle, last = map(_decoded, chunks)
    check(_joined_text([first, *middle], slug), text, "the text")
    check(first["choices"][0]["delta"], {"role": "assistant"}, "the first delta")
    _check_frame(last, "chat.completion.chunk", slug)
    check(last["choices"], [{"index": 0, "delta": {}, "finish_reason": "stop"}], "the last choice")


def check_broken_stream(reply: Reply, slug: str, beginning: str, message: str) -> None:
    """Checks a stream whose provider failed in mid-stream: the beginning of the text, the error, [DONE]."""
    *chunks, error, done = _events(reply)
    check(done, "[DONE]", "the last event")
    check(
        _decoded(error), {"error": {"statusCode": 502, "message": message, "error": "Bad Gateway"}}, "the error event"
    )
    text = _joined_text([_decoded(chunk) for chunk in chunks], slug)
    check(beginning.startswith(text), True, f"whether the text begins with {_short(text)}")


def _joined_text(chunks: list[Any], slug: str) -> str:
    """Returns the text of chunks that all belong to one response."""
    texts = []
    for chunk in chunks:
        _check_frame(chunk, "chat.completion.chunk", slug)
        check(chunk["id"], chunks[0]["id"], "the id of a later chunk")
        (choice,) = chunk["choices"]
        check(choice["finish_reason"], None, "the finish reason before the end")
        texts.append(choice["delta"].get("content", ""))
    return "".join(texts)


def _check_frame(answer: Any, kind: str, slug: str) -> None:
    check(answer.get("object"), kind, f"the object of {_short(answer)}")
    check(answer["model"], slug, "the model")
    check(bool(_ID.match(answer["id"])), True, f"whether {answer['id']} is an id")


def _events(reply: Reply) -> list[str]:
    check(reply.status, 200, f"the status (body {_short(reply.body)})")
    check(reply.headers.get("Content-Type"), _EVENTS, "the content type")
    *events, rest = reply.body.decode().split("\n\n")
    check(rest, "", "what follows the last event")
    data = [event.removeprefix("data: ") for event in events if event != ": ping"]
    check([event for event in events if not event.startswith(("data: ", ": ping"))], [], "the rest of the events")
    check(len(data) >= 3, True, f"whether {_short(data)} is long enough")
    return data


def _decoded(event: str) -> Any:
    try:
        return msgspec.json.decode(event)
    except msgspec.DecodeError:
        raise WrongAnswerError(f"the event {_short(event)} isn't JSON") from None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:200]} … {text[-100:]}"
