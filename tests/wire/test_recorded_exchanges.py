"""Replays exchanges that were recorded from the original engine.

Status and body must be the same, except for ids, times, the order of the envelope's keys and the message of a 400.
DEVIATIONS lists the cases in which this engine intentionally differs, each with its response and the reason.
"""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from polyant.domain.chat import TextDelta, Turn, UserMessage
from polyant.domain.errors import ProviderError, ProviderFailure
from polyant.domain.limits import RateLimit
from polyant.testing.manual_clock import START
from support.app import App, serving
from support.asgi import Response
from support.scripted_supervisor import TOOL_FINISHED, TOOL_STARTED, TURN_FINISHED, Step, says
from support.sessions import session_token

Json = dict[str, Any]

RECORDED: list[Json] = json.loads((Path(__file__).parent / "recorded_exchanges.json").read_text())
LISTED = [
    "demo-agent",
    "demo-bot",
    "locked-bot",
    "keyless-bot",
    "nokey-bot",
    "nokey-anthropic",
    "nokey-bedrock",
    "noprov-bot",
    "nomem-bot",
    "plain-bot",
    "reason-bot",
    "uni-locked",
    "plain-mem",
]
HELLO = ("Hel", "lo ", "from ", "stub")


class Deviation(NamedTuple):
    """A different response of this engine, and the reason."""

    status: int
    body: Any
    reason: str


def error_body(status: int, message: str, error: str) -> Json:
    return {"statusCode": status, "message": message, "error": error}


def answer(text: str, model: str = "demo-bot") -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return {"id": "*", "object": "chat.completion", "created": 0, "model": model, "choices": [choice], "usage": usage}


def stream(*texts: str, model: str = "demo-bot") -> list[Any]:
    deltas: list[tuple[Json, str | None]] = [({"role": "assistant"}, None)]
    deltas += [({"content": text}, None) for text in texts]
    deltas += [({}, "stop")]
    head = {"id": "*", "object": "chat.completion.chunk", "created": 0, "model": model}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas]
    return [*chunks, "[DONE]"]


DEVIATIONS = {
    "models/demo-bot": Deviation(
        200,
        {
            "id": "demo-bot",
            "object": "model",
            "created": 0,
            "owned_by": "polyant",
            "polyant": {"image_input": False, "response_format": False, "tools_ignored": True},
        },
        "GET /v1/models/{slug} returns the one object: OpenAI clients call it",
    ),
    **dict.fromkeys(
        ("models wrong bearer", "models key of disabled instance", "models bad bearer + good cookie"),
        Deviation(
            401,
            error_body(401, "Invalid API key", "Unauthorized"),
            "a bad bearer token that isn't in the form of a session token is most likely a mistyped key",
        ),
    ),
    "chat use_tool stream": Deviation(
        200, stream(*HELLO), "tool activity is not surfaced; the original leaks <think> text with tool names"
    ),
    "chat stream null": Deviation(200, answer("Hello from stub"), "stream is a boolean or null"),
    "auth off-bot (disabled, auth off)": Deviation(
        401,
        error_body(401, "Unknown model", "Unauthorized"),
        "a disabled instance is an unknown model; the original still answers it",
    ),
    "dev: upstream 500": Deviation(
        502,
        error_body(502, "The model provider failed to answer (openai: auth)", "Bad Gateway"),
        "a provider failure is 502 with the provider's name and the kind of failure",
    ),
    "upstream connection refused stream": Deviation(
        502,
        error_body(502, "The model provider failed to answer (openai: unreachable)", "Bad Gateway"),
        "a failure before the status line has its own status; a failure is never sent as assistant text",
    ),
}


def script(case: str, turn: Turn) -> Sequence[Step]:
    """Returns what the recorded model did in that case."""
    last = next(message for message in reversed(turn.messages) if isinstance(message, UserMessage)).text
    texts: Sequence[Step] = says(*HELLO) if turn.stream else says("".join(HELLO))
    if case == "upstream connection refused stream":
        return [ProviderError("openai", ProviderFailure.UNREACHABLE)]
    if last.startswith("USE_TOOL"):
        return [TOOL_STARTED, TOOL_FINISHED, *texts]
    if last == "FAIL_401":
        return [ProviderError("openai", ProviderFailure.AUTH)]
    if last == "EMPTY_TEXT":
        return [TURN_FINISHED]
    if last == "UNI_TEXT":
        return [*map(TextDelta, unicode_deltas()), TURN_FINISHED]
    return texts


def unicode_deltas() -> list[str]:
    recorded = next(each for each in RECORDED if each["case"] == "chat unicode stream")["response"]["body"]
    deltas = [event["choices"][0]["delta"] for event in events_of("\n".join(recorded))[:-1]]
    return [delta["content"] for delta in deltas if "content" in delta]


def events_of(text: str) -> list[Any]:
    data = [line.removeprefix("data: ") for line in text.split("\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in data]


KEYS = {"locked-bot": "sk-myinstancekey"}


@pytest.fixture
async def app() -> AsyncIterator[App]:
    """An application with the instances of the original engine."""
    async with serving(rate_limit=RateLimit(20, 60)) as app:
        for second, slug in enumerate(LISTED):
            if slug != "demo-bot":
                created = START + timedelta(seconds=second - LISTED.index("demo-bot"))
                auth = True if slug == "keyless-bot" else None
                await app.add(slug, key=KEYS.get(slug), auth_enabled=auth, created_at=created)
        await app.add("off-bot", active=False)
        await app.add("off-locked", key="sk-offkey", active=False)
        yield app


async def replay(app: App, exchange: Json) -> Response:
    """Returns this engine's response to a recorded request; new sessions replace the recorded, shortened ones."""
    request = exchange["request"]
    method, target = request["line"].split(" ")
    headers = dict(request["headers"])
    if headers.get("Authorization", "").startswith("Bearer eyJ"):
        headers["Authorization"] = f"Bearer {session_token()}"
    if "Cookie" in headers:
        headers["Cookie"] = f"polyant_session={session_token()}"
    app.supervisor.script = lambda turn: script(exchange["case"], turn)
    return await app.request(method, target, headers=headers, body=(request["body"] or "").encode())


def recorded_body(exchange: Json) -> Any:
    body = exchange["response"]["body"]
    if isinstance(body, list):
        return normal(events_of("\n".join(body)))
    return normal(json.loads(body)) if body else None


def body_of(response: Response) -> Any:
    text = response.body.decode()
    if response.header("content-type") == "text/event-stream":
        return normal(events_of(text))
    return normal(json.loads(text))


def normal(value: Any) -> Any:
    """Returns the value without the variable parts: response ids, times, and the message of a 400."""
    if isinstance(value, list):
        return [normal(item) for item in value]
    if not isinstance(value, dict):
        return value
    replaced: Json = {"created": 0}
    if "choices" in value:
        replaced["id"] = "*"
    if value.get("statusCode") == 400:
        replaced["message"] = "*"
    return {key: replaced.get(key, normal(item)) for key, item in value.items()}


@pytest.mark.parametrize("exchange", RECORDED, ids=lambda exchange: exchange["case"])
async def test_response_is_the_recorded_or_the_listed_one(app: App, exchange: Json) -> None:
    response = await replay(app, exchange)
    deviation = DEVIATIONS.get(exchange["case"])
    if deviation:
        assert (response.status, body_of(response)) == (deviation.status, deviation.body)
        return
    assert response.status == exchange["response"]["status"]
    if exchange["request"]["line"].startswith("HEAD"):
        return  # the server leaves the body of a HEAD out, and there is none in this test
    assert body_of(response) == recorded_body(exchange)
    recorded_type = exchange["response"]["headers"]["Content-Type"]
    assert response.header("content-type") == recorded_type.removesuffix("; charset=utf-8")


@pytest.mark.parametrize("exchange", RECORDED, ids=lambda exchange: exchange["case"])
async def test_only_chat_responses_have_the_recorded_limit_headers(app: App, exchange: Json) -> None:
    response = await replay(app, exchange)
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    shown = [response.header(name.lower()) for name in names]
    if not exchange["request"]["line"].startswith("POST /v1/chat/completions"):
        assert shown == [None] * 3  # the original limits GET /v1/models too; good credentials have no limit here
        return
    assert shown == ["20", "19", "60"]
    recorded = [exchange["response"]["headers"].get(name) for name in names]
    if exchange["case"] not in {"bad: {", "bad: json null"}:  # malformed bodies count here
        assert shown == recorded


def test_every_deviation_belongs_to_a_recorded_case_and_differs_from_it() -> None:
    recorded = {exchange["case"]: exchange for exchange in RECORDED}
    for case, deviation in DEVIATIONS.items():
        response = recorded[case]["response"]
        assert (response["status"], recorded_body(recorded[case])) != (deviation.status, deviation.body)
        assert deviation.reason
