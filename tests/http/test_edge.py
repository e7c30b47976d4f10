"""Properties of every request: ids, headers, hosts, log lines."""

import asyncio
import logging
import re
import shlex
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from polyant.domain.chat import StepFinished, TextDelta, Usage
from polyant.domain.errors import TurnTimeoutError
from polyant.domain.limits import RateLimit
from polyant.logs import JsonFormatter, TextFormatter
from support.app import CHAT, App, chat_body, serving
from support.asgi import Response
from support.logs import fields_of
from support.scripted_supervisor import TOOL_FINISHED, TOOL_STARTED, says

JSON = {"content-type": "application/json"}


async def _throttled(app: App) -> Response:
    while (response := await app.chat()).status != 429:
        pass
    return response


async def _broken(app: App) -> Response:
    app.supervisor.plays(KeyError("x"))
    return await app.chat()


ANSWERS: dict[str, Callable[[App], Awaitable[Response]]] = {
    "chat": lambda app: app.chat(),
    "stream": lambda app: app.chat(stream=True),
    "400": lambda app: app.post(b"{"),
    "401": lambda app: app.get("/v1/models"),
    "403": lambda app: app.request("GET", "/health", headers={"host": "evil.example"}, server=("127.0.0.1", 80)),
    "404": lambda app: app.get("/nowhere"),
    "404 method": lambda app: app.get(CHAT),
    "404 options": lambda app: app.request("OPTIONS", "/health"),
    "413": lambda app: app.post(b" " * 2_000),
    "429": _throttled,
    "500": _broken,
    "health": lambda app: app.get("/health"),
    "head": lambda app: app.request("HEAD", "/v1/models"),
}


@pytest.mark.parametrize("kind", ANSWERS)
async def test_every_response_has_one_request_id_and_one_nosniff_header(kind: str) -> None:
    async with serving(max_body_bytes=1_000, rate_limit=RateLimit(5, 60)) as app:
        response = await ANSWERS[kind](app)
    assert str(response.status).startswith(kind[0] if kind[0].isdigit() else ("401" if kind == "head" else "200"))
    assert re.fullmatch("req_[0-9a-f]{24}", response.header("x-request-id") or "")
    assert response.header("x-content-type-options") == "nosniff"


async def test_request_ids_are_unique(app: App) -> None:
    first, second = await app.get("/health"), await app.get("/health")
    assert first.header("x-request-id") != second.header("x-request-id")


@pytest.mark.parametrize("given", ["a", "req_1", "4bf92f35-77b3-4da6", "x" * 128, "a.b_c:d/e+f=g@h"])
async def test_valid_request_id_is_kept_in_response_and_log(
    app: App, given: str, access_log: list[logging.LogRecord]
) -> None:
    assert (await app.get("/health", x_request_id=given)).header("x-request-id") == given
    assert fields_of(access_log[0])["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\nb", "a\n", "é", "a\tb", "a;b", '"', "\x00", "a,b"])
async def test_invalid_request_id_is_replaced(app: App, given: str) -> None:
    answered = (await app.get("/health", x_request_id=given)).header("x-request-id")
    assert re.fullmatch("req_[0-9a-f]{24}", answered or "")


# Hosts


async def status_for(app: App, host: str | None, server: tuple[str, int | None] | None) -> int:
    headers = {} if host is None else {"host": host}
    return (await app.request("GET", "/health", headers=headers, server=server)).status


LOOPBACK = pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])


@LOOPBACK
@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:4000",
        "LocalHost:4000",
        "127.0.0.1",
        "127.0.0.1:4000",
        "[::1]",
        "[::1]:4000",
        "engine.internal",
        "Engine.Internal:8443",
        "",
        None,
    ],
)
async def test_local_and_allowed_hosts_are_served_over_loopback(address: str, host: str | None) -> None:
    async with serving(allowed_hosts=("engine.internal",)) as app:
        assert await status_for(app, host, (address, 4000)) == 200


@LOOPBACK
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example/localhost",
        "localhost@evil.example",
        "localhost:4000.evil.example",
        "[::1].evil.example",
        "[::2]:4000",
        "198.51.100.1",
        "engine.internal",
    ],
)
async def test_foreign_host_is_403_on_every_route_over_loopback(app: App, address: str, host: str) -> None:
    server = (address, 4000)
    headers = {"host": host, **JSON}
    for method, target in (("GET", "/health"), ("GET", "/nowhere"), ("OPTIONS", CHAT), ("POST", CHAT)):
        response = await app.request(method, target, headers=headers, server=server, body=chat_body())
        assert response.status == 403
        assert list(response.json) == ["statusCode", "message", "error"]
        assert response.json["error"] == "Forbidden"
        assert response.json["message"] == "This server does not answer to that Host"
    assert app.supervisor.turns == []


@LOOPBACK
async def test_star_allows_every_host(address: str) -> None:
    async with serving(allowed_hosts=("*",)) as app:
        assert await status_for(app, "evil.example", (address, 4000)) == 200


@pytest.mark.parametrize(
    "server",
    [("198.51.100.1", 4000), ("10.0.0.1", 4000), ("2001:db8::1", 4000), ("/run/polyant.sock", None), ("name", 1), None],
)
async def test_host_is_not_checked_on_other_addresses(app: App, server: tuple[str, int | None] | None) -> None:
    assert await status_for(app, "any.example", server) == 200


# HEAD


async def test_head_has_the_headers_of_get(app: App) -> None:
    await app.add("locked-bot", key="sk-of-locked-bot")
    headers = {"authorization": "Bearer sk-of-locked-bot"}
    for target in ("/health", "/v1/models", "/v1/models/demo-bot"):
        head = await app.request("HEAD", target, headers=headers)
        get = await app.request("GET", target, headers=headers)
        assert (head.status, head.header("content-length")) == (200, get.header("content-length"))


# The access log


async def test_access_log_has_method_path_status_time_and_slug_of_each_request(
    app: App, access_log: list[logging.LogRecord]
) -> None:
    response = await app.request("GET", "/v1/models/demo-bot?key=sk-secret", headers=JSON)
    (record,) = access_log
    fields = fields_of(record)
    assert fields.pop("ms") >= 0
    assert fields == {
        "method": "GET",
        "path": "/v1/models/demo-bot",
        "status": 401,
        "slug": None,
        "error": "Missing authentication",
        "request_id": response.header("x-request-id"),
    }


async def test_log_line_of_a_turn_has_its_metrics_but_no_text(app: App, access_log: list[logging.LogRecord]) -> None:
    app.supervisor.plays(
        StepFinished(usage=Usage(3, 1), steps=1, milliseconds=1), TOOL_STARTED, TOOL_FINISHED, *says("Hello!")
    )
    await app.request("POST", f"{CHAT}?key=sk-secret", body=chat_body(), headers=JSON)
    (record,) = access_log
    fields = fields_of(record)
    assert (fields["path"], fields["slug"], fields["status"], fields["error"]) == (CHAT, "demo-bot", 200, None)
    assert {name: fields[name] for name in list(fields)[-6:]} == {
        "outcome": "finished",
        "first_token_ms": 0,
        "steps": 1,
        "tool_calls": 1,
        "prompt_tokens": 7,
        "completion_tokens": 5,
    }
    assert "Hello!" not in TextFormatter().format(record)


async def test_log_line_shows_failed_and_abandoned_turns(app: App, access_log: list[logging.LogRecord]) -> None:
    app.supervisor.plays(StepFinished(usage=Usage(3, 1), steps=1, milliseconds=1), asyncio.Event())
    exchange = app.start_chat()
    await app.supervisor.runs()
    exchange.disconnect()
    await exchange.over()
    app.supervisor.plays(TurnTimeoutError())
    await app.chat()
    assert [(fields["outcome"], fields["steps"]) for fields in map(fields_of, access_log)] == [
        ("abandoned", 1),
        ("timed_out", 0),
    ]


async def test_stream_is_logged_when_it_ends(app: App, access_log: list[logging.LogRecord]) -> None:
    gate = asyncio.Event()
    app.supervisor.plays(TextDelta("a"), gate)
    exchange = app.start_chat(stream=True)
    await exchange.next()
    assert access_log == []
    gate.set()
    await exchange.whole()
    assert len(access_log) == 1


async def test_rejected_request_is_logged_with_its_reason_and_the_method_as_sent(
    app: App, access_log: list[logging.LogRecord]
) -> None:
    await app.chat(model="no-such-bot")
    await app.request("HEAD", "/v1/models")
    assert [(fields_of(record)["status"], fields_of(record)["error"]) for record in access_log] == [
        (401, "Unknown model"),
        (401, "Missing authentication"),
    ]
    assert [fields_of(record)["slug"] for record in access_log] == ["no-such-bot", None]
    assert fields_of(access_log[1])["method"] == "HEAD"


async def test_body_key_and_query_are_never_logged(
    app: App, access_log: list[logging.LogRecord], error_log: list[logging.LogRecord]
) -> None:
    await app.add("locked-bot", key="sk-a-key-of-the-test")
    secret = "the user's own words"
    await app.chat(model="locked-bot", bearer="sk-a-key-of-the-test", text=secret)
    await app.chat(model="locked-bot", bearer="sk-a-wrong-key", text=secret, stream=True)
    await app.post(chat_body(text=secret)[:-1])
    await app.get("/v1/models?key=sk-in-query", bearer="sk-a-wrong-key", cookie="polyant_session=sk-cookie")
    app.supervisor.plays(TextDelta("the assistant's words"), KeyError("x"))
    await app.chat(text=secret, stream=True)
    written = "".join(TextFormatter().format(record) for record in [*access_log, *error_log])
    for word in (secret, "sk-a-key", "sk-a-wrong", "sk-in-query", "sk-cookie", "assistant's words"):
        assert word not in written


async def test_requests_cannot_forge_log_lines_or_fields(app: App, access_log: list[logging.LogRecord]) -> None:
    forged = '"2026-11-22T10:44:00Z INFO polyant.access: request status=200'
    await app.request(f"GET\r\n{forged}", f"/x\r\n{forged}\x1b[2J\x85\xff status=200")
    await app.get("/health", x_request_id=f"a\n{forged}")
    for record in access_log:
        text, line = TextFormatter().format(record), JsonFormatter().format(record)
        assert text.isprintable()
        assert line.isprintable()
        status = fields_of(record)["status"]
        assert [word for word in shlex.split(text) if word.startswith("status=")] == [f"status={status}"]
        assert msgspec.json.decode(line)["status"] == status


async def test_websocket_is_closed(app: App) -> None:
    sent: list[object] = []

    async def receive() -> object:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        sent.append(message)

    await app.asgi({"type": "websocket", "path": "/v1/models", "headers": []}, receive, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1000, "reason": "not served"}]
