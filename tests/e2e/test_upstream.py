"""A misbehaving provider, as a caller of the server sees it."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from polyant.domain.errors import ProviderFailure
from polyant.testing.event_stream import EVENT_STREAM, Split, at_random, byte_by_byte, whole
from polyant.testing.provider_scripts import PROVIDER_TEXT, ScriptedAnswer
from support.openai_replies import openai_events, openai_failure, openai_partial_stream, openai_responder
from support.patience import PATIENCE
from support.process import Server
from support.upstream import DROP, HANG_BEFORE_HEAD, Gate, Reply, Then, UpstreamThread, json_reply

TRICKY = ScriptedAnswer(text=("Zoë ", "🐜\u2028", "\n\ndata: [DONE]\n\n", "漢字"))
KEY = "upstream-key-0123456789"

Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(engine: Server) -> Ask:
    def ask(*, stream: bool = False) -> httpx.Response:
        body = {"model": "relay", "messages": [{"role": "user", "content": "Hello!"}], "stream": stream}
        return httpx.post(f"{engine.base_url}/chat/completions", json=body, timeout=PATIENCE)

    return ask


@pytest.mark.parametrize("split", [whole, byte_by_byte, at_random(1), at_random(2)])
def test_stream_arrives_unchanged_wherever_it_is_split(ask: Ask, upstream: UpstreamThread, split: Split) -> None:
    upstream.upstream.replies.append(openai_responder(TRICKY, split))
    answer = ask(stream=True)
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert _texts(answer) == list(TRICKY.text)
    assert answer.text.endswith("data: [DONE]\n\n")


def test_stream_and_whole_response_have_the_same_text(ask: Ask, upstream: UpstreamThread) -> None:
    upstream.upstream.replies += [openai_responder(TRICKY), openai_responder(TRICKY)]
    whole_answer = ask().json()["choices"][0]["message"]["content"]
    assert whole_answer == "".join(_texts(ask(stream=True))) == "".join(TRICKY.text)


def test_slow_stream_arrives_delta_by_delta(engine: Server, upstream: UpstreamThread) -> None:
    gate = Gate()
    first, second, *rest = openai_events(ScriptedAnswer(text=("Hel", "lo")))
    pieces = (first, second, gate, b"".join(rest), b"data: [DONE]\n\n")
    upstream.upstream.replies.append(Reply(headers=EVENT_STREAM, framing="chunked", pieces=pieces))
    body = {"model": "relay", "messages": [{"role": "user", "content": "Hello!"}], "stream": True}
    with httpx.stream("POST", f"{engine.base_url}/chat/completions", json=body, timeout=PATIENCE) as answer:
        lines = answer.iter_lines()
        before = _until(lines, '"Hel"')
        upstream.run(_open(gate))
        after = list(lines)
    assert any('"role":"assistant"' in line for line in before)
    assert any('"lo"' in line for line in after)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", [ProviderFailure.AUTH, ProviderFailure.BAD_REQUEST, ProviderFailure.BAD_RESPONSE])
def test_permanent_failure_is_a_bad_gateway_after_one_attempt(
    ask: Ask, upstream: UpstreamThread, kind: ProviderFailure, *, stream: bool
) -> None:
    upstream.upstream.replies += [openai_failure(kind)] * 3
    answer = ask(stream=stream)
    assert answer.status_code == 502
    assert answer.json()["message"] == f"The model provider failed to answer (openai: {kind})"
    assert answer.headers["x-should-retry"] == "false"
    assert len(upstream.upstream.posts) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_transient_failure_is_attempted_three_times(ask: Ask, upstream: UpstreamThread, *, stream: bool) -> None:
    trouble = json_reply({}, status=500, headers={"Retry-After": "0"})
    upstream.upstream.replies += [trouble, trouble, openai_responder("At last")]
    answer = ask(stream=stream)
    assert answer.status_code == 200
    assert "At last" in answer.text
    assert len(upstream.upstream.posts) == 3


def test_long_retry_after_of_the_provider_fails_immediately(ask: Ask, upstream: UpstreamThread) -> None:
    upstream.upstream.replies.append(json_reply({}, status=429, headers={"Retry-After": "30"}))
    answer = ask()
    assert answer.status_code == 502
    assert answer.json()["message"] == "The model provider failed to answer (openai: rate_limit)"
    assert len(upstream.upstream.posts) == 1


def test_dropped_connections_are_unreachable_after_three_attempts(ask: Ask, upstream: UpstreamThread) -> None:
    upstream.upstream.replies += [DROP] * 3
    answer = ask()
    assert (answer.status_code, len(upstream.upstream.posts)) == (502, 3)
    assert "(openai: unreachable)" in answer.json()["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_unresponsive_provider_is_a_gateway_timeout(ask: Ask, upstream: UpstreamThread, *, stream: bool) -> None:
    upstream.upstream.replies.append(HANG_BEFORE_HEAD)
    answer = ask(stream=stream)
    assert answer.status_code == 504
    assert answer.json()["message"] == "The model provider did not answer in time (openai: timeout)"
    upstream.run(upstream.upstream.posts[0].hung_up.wait())


@pytest.mark.parametrize("then, kind", [(Then.CUT, "bad_response"), (Then.HANG, "timeout")])
def test_failure_in_mid_stream_is_an_event_and_ends_the_stream(
    ask: Ask, upstream: UpstreamThread, then: Then, kind: str
) -> None:
    upstream.upstream.replies.append(openai_partial_stream("Half an ", "ans", then=then))
    answer = ask(stream=True)
    *chunks, error, done = _events(answer)
    assert answer.status_code == 200
    assert json.loads(error)["error"]["message"].endswith(f"(openai: {kind})")
    assert done == "[DONE]"
    assert not any('"finish_reason":"stop"' in chunk for chunk in chunks)


@pytest.mark.parametrize(
    "invalid",
    [
        Reply(framing="raw", pieces=(b"\x00\xff invalid \r\n\r\n", Then.CUT)),
        Reply(headers={"Content-Type": "text/html"}, pieces=(b"<html>It works!</html>",)),
        Reply(headers=EVENT_STREAM, framing="chunked", pieces=(b"data: {broken\n\n",)),
        Reply(headers=EVENT_STREAM, framing="close", pieces=()),
        Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}),
    ],
    ids=["no-http", "html", "broken-json", "empty-stream", "redirect"],
)
def test_invalid_provider_response_is_a_bad_gateway(ask: Ask, upstream: UpstreamThread, invalid: Reply) -> None:
    upstream.upstream.replies += [invalid] * 3
    answer = ask(stream=True)
    assert answer.status_code == 502
    assert "(openai: bad_response)" in answer.json()["message"]


def test_error_text_and_key_of_the_provider_reach_neither_callers_nor_log(
    ask: Ask, engine: Server, upstream: UpstreamThread
) -> None:
    upstream.upstream.replies.append(openai_failure(ProviderFailure.BAD_REQUEST))
    answer = ask()
    seen = answer.text + str(answer.headers) + engine.stdout.text + engine.stderr.text
    assert upstream.upstream.posts[0].headers["authorization"] == f"Bearer {KEY}"
    assert PROVIDER_TEXT not in seen
    assert KEY not in seen


def _events(answer: httpx.Response) -> list[str]:
    """Returns the data of the events."""
    events = answer.text.removesuffix("\n\n").split("\n\n")
    return [event.removeprefix("data: ") for event in events if not event.startswith(":")]


def _texts(answer: httpx.Response) -> list[str]:
    chunks: list[dict[str, Any]] = [json.loads(event) for event in _events(answer)[:-1]]
    return [text for chunk in chunks if (text := chunk["choices"][0]["delta"].get("content"))]


def _until(lines: Any, part: str) -> list[str]:
    read: list[str] = []
    while not read or part not in read[-1]:
        read.append(next(lines))
    return read


async def _open(gate: Gate) -> None:
    gate.open()
