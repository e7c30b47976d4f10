"""ERROR_FORMAT=openai: errors under /v1 in the form that OpenAI's clients expect."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from polyant.domain.chat import TextDelta
from polyant.domain.errors import (
    ProviderError,
    ProviderFailure,
    ServerBusyError,
    TurnTimeoutError,
    UnavailableError,
)
from polyant.domain.limits import RateLimit
from polyant.http.error_bodies import ErrorFormat, error_body, in_format
from support.app import CHAT, App, chat_body, serving
from support.asgi import Response
from support.envelopes import assert_refused
from support.sessions import session_token

INVALID = "invalid_request_error"


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with serving(error_format=ErrorFormat.OPENAI, max_body_bytes=1_000) as app:
        yield app


def assert_openai(response: Response, status: int, message: str, kind: str, code: str | None) -> None:
    expected = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    assert (response.status, response.body) == (status, msgspec.json.encode(expected))
    assert response.header("content-type") == "application/json"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, INVALID, None),
        (401, INVALID, "invalid_api_key"),
        (403, INVALID, None),
        (404, INVALID, None),
        (408, INVALID, None),
        (413, INVALID, None),
        (415, INVALID, None),
        (429, "requests", "rate_limit_exceeded"),
        (431, INVALID, None),
        (500, "server_error", None),
        (502, "server_error", None),
        (503, "server_error", None),
        (504, "server_error", None),
    ],
)
def test_every_status_has_its_type_and_code(status: int, kind: str, code: str | None) -> None:
    formatted = msgspec.to_builtins(in_format(error_body(status, "m"), ErrorFormat.OPENAI))
    assert formatted == {"error": {"message": "m", "type": kind, "param": None, "code": code}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/models", ErrorFormat.OPENAI),
        ("//v1/models", ErrorFormat.OPENAI),
        ("/v1", ErrorFormat.OPENAI),
        ("/api/instances", ErrorFormat.NESTJS),
        ("/v1x/models", ErrorFormat.NESTJS),
        ("/api/v1/models", ErrorFormat.NESTJS),
        ("", ErrorFormat.NESTJS),
    ],
)
def test_format_applies_to_v1(path: str, expected: ErrorFormat) -> None:
    assert ErrorFormat.OPENAI.at(path) is expected
    assert ErrorFormat.NESTJS.at(path) is ErrorFormat.NESTJS


async def test_rejected_requests_have_openais_shape_and_the_same_message(app: App) -> None:
    await app.add("locked-bot", key="sk-of-the-locked-bot")
    message = "Expected `int | null`, got `str` - at `$.max_tokens`"
    assert_openai(await app.chat(max_tokens="x"), 400, message, INVALID, None)
    assert_openai(await app.chat(model="nobody"), 401, "Unknown model", INVALID, "model_not_found")
    assert_openai(await app.chat(model="locked-bot"), 401, "Missing Bearer token", INVALID, "invalid_api_key")
    wrong = await app.chat(model="locked-bot", bearer="x")
    assert_openai(wrong, 401, "Invalid API key", INVALID, "invalid_api_key")
    assert_openai(await app.get("/v1/models"), 401, "Missing authentication", INVALID, "invalid_api_key")
    unknown = await app.get("/v1/models/nobody", bearer=session_token())
    assert_openai(unknown, 404, "Unknown model", INVALID, None)
    assert_openai(await app.get("/v1/nowhere"), 404, "Cannot GET /v1/nowhere", INVALID, None)
    options = await app.request("OPTIONS", CHAT)
    assert_openai(options, 404, f"Cannot OPTIONS {CHAT}", INVALID, None)
    assert_openai(await app.post(b" " * 1_001), 413, "request entity too large", INVALID, None)
    unsupported = await app.post(chat_body(), content_encoding="br")
    assert_openai(unsupported, 415, "Unsupported content encoding", INVALID, None)
    host = await app.request("GET", "/v1/models", headers={"host": "evil.example"}, server=("127.0.0.1", 80))
    assert_openai(host, 403, "This server does not answer to that Host", INVALID, None)


async def test_throttled_request_keeps_its_headers() -> None:
    async with serving(error_format=ErrorFormat.OPENAI, rate_limit=RateLimit(1, 60)) as app:
        await app.chat()
        response = await app.chat()
    message = "ThrottlerException: Too Many Requests"
    assert_openai(response, 429, message, "requests", "rate_limit_exceeded")
    assert {"retry-after", "x-ratelimit-limit", "x-request-id"} <= set(response.names)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyError("x"), 500, "Internal server error"),
        (ProviderError("openai", ProviderFailure.AUTH), 502, "The model provider failed to answer (openai: auth)"),
        (UnavailableError("No key", hint="Set SECRET_VARIABLE"), 503, "No key"),
        (ServerBusyError(), 503, "Server is busy"),
        (TurnTimeoutError(), 504, "The turn did not finish in time"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_failed_turn_has_openais_shape(
    app: App, error: Exception, status: int, message: str, *, stream: bool
) -> None:
    app.supervisor.plays(error)
    assert_openai(await app.chat(stream=stream), status, message, "server_error", None)


async def test_failure_in_mid_stream_has_openais_shape(app: App) -> None:
    app.supervisor.plays(TextDelta("a"), ProviderError("openai", ProviderFailure.BAD_RESPONSE))
    *_, event, done, rest = (await app.chat(stream=True)).body.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    assert event.startswith(b'data: {"error":{"message":"The model provider failed')
    error: dict[str, Any] = msgspec.json.decode(event.removeprefix(b"data: "))["error"]
    assert list(error.items()) == [
        ("message", "The model provider failed to answer (openai: bad_response)"),
        ("type", "server_error"),
        ("param", None),
        ("code", None),
    ]


async def test_routes_outside_v1_keep_their_format(app: App) -> None:
    assert_refused(await app.get("/nowhere"), 404, "Cannot GET /nowhere")
    assert_refused(await app.get("/api/instances"), 401, "Missing authentication")
    token = session_token()
    response = await app.request(
        "POST",
        "/api/instances/demo-bot/playground",
        body=chat_body("another"),
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    assert_refused(response, 400, "model must be 'demo-bot', as in the path - at `$.model`")
