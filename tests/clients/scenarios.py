"""The scenarios of every client, and the behaviour of the provider in each."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from polyant.domain.chat import ToolCall, Usage
from polyant.domain.errors import ProviderFailure
from polyant.testing.event_stream import byte_by_byte
from polyant.testing.provider_scripts import ScriptedAnswer
from support.openai_replies import openai_failure, openai_partial_stream, openai_responder
from support.upstream import HANG_BEFORE_HEAD, Gate, Received, Reply, Responder, Then

HEARTBEAT_SECONDS = 0.05
HEARTBEATS = 20
SLOW_TOOL = Reply(pieces=(2 * HEARTBEATS * HEARTBEAT_SECONDS, b"done"))
"""The tool's response, slow enough for that many heartbeats even on a busy machine."""

GREETING = ScriptedAnswer(text=("Grüß ", "dich, ", "Zoë 🐜", "!"), usage=Usage(12, 34))
WIDE_TEXT = ScriptedAnswer(
    text=("a", "é", "√", "🐜", "👩", "\u200d", "🚀", "e", "\u0301", "\u2028", "\u0085", "\n", "\ufeff", '"\\')
)
"""Characters of one to four bytes, parts of emoji and letters, and characters that some treat as line ends."""
AFTER_TOOL = ScriptedAnswer(text=("It took ", "a while."))
PARTIAL_TEXT = ("Half an ", "ans")
CONVERSATION = tuple(
    {"role": ("user", "assistant")[number % 2], "content": f"{number}: {'lorem ipsum ' * 15}"} for number in range(99)
)
PARTS = ("Summarise ", "this: ")
JSON_FIELD = "text"
"""The field of the object that the provider responds with if a request has a `response_format`."""

NewGate = Callable[[], Gate]
"""Creates the next gate of a reply, which opens when the client has reported the previous delta."""


def _in_format(answer: ScriptedAnswer, request: Received) -> ScriptedAnswer:
    """Returns the answer, as a JSON object if the request has a `response_format`."""
    if "response_format" not in request.json():
        return answer
    return msgspec.structs.replace(answer, text=(json.dumps({JSON_FIELD: "".join(answer.text)}, ensure_ascii=False),))


def _greeting(_: NewGate) -> Responder:
    return lambda request: openai_responder(_in_format(GREETING, request))(request)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One scenario of a client.

    A client may support several variants of a verb, such as `answer` and `answer_async`; `all_variants` runs them all.
    """

    name: str
    verb: str
    reply: Callable[[NewGate], Responder] = field(default=_greeting)
    all_variants: bool = False
    server: str = "main"
    model: str = "relay"
    text: str = "Hello!"
    before: tuple[dict[str, str], ...] = ()
    parts: tuple[str, ...] = ()
    wrong_key: bool = False
    call: dict[str, Any] = field(default_factory=lambda: {"retries": 0})

    def messages(self, mark: str) -> list[dict[str, Any]]:
        """Returns the conversation, with a mark by which the provider recognises the call."""
        last = f"{self.text} {mark}"
        if self.parts:
            return [{"role": "user", "content": [{"type": "text", "text": text} for text in (*self.parts, last)]}]
        return [*self.before, {"role": "user", "content": last}]


def _piece_by_piece(new_gate: NewGate) -> Responder:
    def respond(request: Received) -> Reply:
        reply = openai_responder(GREETING, split=_by_event)(request)
        pieces: list[Any] = []
        for number, event in enumerate(reply.pieces):
            pieces.append(event)
            if 1 <= number <= len(GREETING.text):
                pieces.append(new_gate())
        return replace(reply, pieces=tuple(pieces))

    return respond


def _by_event(data: bytes) -> list[bytes]:
    return [event + b"\n\n" for event in data.split(b"\n\n") if event]


def _with_a_slow_tool(_: NewGate) -> Responder:
    def respond(request: Received) -> Reply:
        if any(message["role"] == "tool" for message in request.json()["messages"]):
            return openai_responder(AFTER_TOOL)(request)
        url = f"http://{request.headers['host']}/slow"
        call = ToolCall(id="call_1", name="http_request", arguments=json.dumps({"url": url}))
        return openai_responder(ScriptedAnswer(text=(), tool_calls=(call,), finish_reason="tool_calls"))(request)

    return respond


def _failing(kind: ProviderFailure) -> Callable[[NewGate], Responder]:
    return lambda _: openai_failure(kind)


def _begins(then: Then) -> Callable[[NewGate], Responder]:
    return lambda _: lambda _: openai_partial_stream(*PARTIAL_TEXT, then=then)


SCENARIOS = (
    Scenario(name="snippet", verb="snippet"),
    Scenario(name="models", verb="models"),
    Scenario(name="one_model", verb="retrieve"),
    Scenario(name="answer", verb="answer", all_variants=True),
    Scenario(name="stream", verb="stream", all_variants=True, reply=_piece_by_piece),
    Scenario(name="usage", verb="stream", all_variants=True, call={"usage": True, "retries": 0}),
    Scenario(name="tool", verb="stream", model="handy", reply=_with_a_slow_tool),
    Scenario(
        name="unicode",
        verb="stream",
        all_variants=True,
        reply=lambda _: openai_responder(WIDE_TEXT, split=byte_by_byte),
    ),
    Scenario(name="history", verb="answer", before=CONVERSATION),
    Scenario(name="parts", verb="answer", parts=PARTS),
    Scenario(name="own_tools", verb="tools"),
    Scenario(
        name="cancelled",
        verb="stream",
        all_variants=True,
        reply=_begins(Then.HANG),
        call={"stop_after": 1, "retries": 0},
    ),
    Scenario(name="wrong_key", verb="answer", wrong_key=True),
    Scenario(name="unknown_model", verb="answer", model="nobody"),
    Scenario(name="bad_body", verb="answer", text="A \0 in the text"),
    Scenario(name="too_many", verb="answer", server="limited", model="demo-bot"),
    Scenario(name="not_set_up", verb="answer", model="keyless"),
    Scenario(name="provider_fails", verb="answer", all_variants=True, reply=_failing(ProviderFailure.AUTH)),
    Scenario(name="fails_at_once", verb="stream", all_variants=True, reply=_failing(ProviderFailure.AUTH)),
    Scenario(name="provider_slow", verb="answer", reply=_failing(ProviderFailure.TIMEOUT)),
    Scenario(name="breaks_off", verb="stream", all_variants=True, reply=_begins(Then.CUT)),
    Scenario(name="waits", verb="patient", server="brief", model="demo-bot", call={}),
    Scenario(name="impatient", verb="impatient", reply=lambda _: lambda _: HANG_BEFORE_HEAD),
    Scenario(name="in_openais_format", verb="answer", server="openai", model="nobody"),
    Scenario(name="explained", verb="explained", model="nobody"),
    Scenario(name="repeats", verb="answer", reply=_failing(ProviderFailure.AUTH), call={}),
)

SHUTDOWN = Scenario(name="shutdown", verb="stream", server="doomed", reply=_begins(Then.HANG))
"""Runs last, for all clients at once: the server stops after each client has received the text so far."""

STREAM_FAILURES = ("breaks_off", "shutdown")
"""The failures in mid-stream."""

FAILURES = {
    "wrong_key": (401, "Invalid API key"),
    "unknown_model": (401, "Unknown model"),
    "bad_body": (400, "U+0000 is not allowed in text - at `$.messages[0].content`"),
    "too_many": (429, "ThrottlerException: Too Many Requests"),
    "not_set_up": (503, "No API key for the provider openai"),
    "provider_fails": (502, "The model provider failed to answer (openai: auth)"),
    "provider_slow": (504, "The model provider did not answer in time (openai: timeout)"),
    "breaks_off": (None, "The model provider failed to answer (openai: bad_response)"),
    "shutdown": (None, "Server is shutting down"),
}
"""The nine failures: the HTTP status, None in mid-stream, and the server's message."""
