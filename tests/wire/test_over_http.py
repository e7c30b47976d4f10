"""The API over a real socket, through the real server."""

import asyncio
import http.client
import json
import socket
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from polyant.domain.chat import TextDelta
from polyant.domain.limits import RateLimit
from polyant.http.openai.responses import ResponseSettings
from support.app import CHAT, chat_body
from support.patience import PATIENCE
from support.scripted_supervisor import TURN_FINISHED, Step, says
from support.server import LiveServer, live

JSON = {"content-type": "application/json"}
MIB = 2**20


def ask(
    server: LiveServer, method: str, target: str, *, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    """Returns the response to a request on a new connection, and its body."""
    with server.connection() as connection:
        connection.request(method, target, body, headers or {})
        response = connection.getresponse()
        return response, response.read()


def post(server: LiveServer, body: Any, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """Returns the response to a chat request, and its body."""
    return ask(server, "POST", CHAT, body=body, headers={**JSON, **headers})


def test_whole_response(server: LiveServer) -> None:
    response, body = post(server, chat_body())
    assert (response.status, response.getheader("content-type")) == (200, "application/json")
    assert response.getheader("content-length") == str(len(body))
    assert json.loads(body)["choices"][0]["message"]["content"] == "Hello!"


def test_connection_is_reused_after_errors_and_streams(server: LiveServer) -> None:
    statuses = []
    with server.connection() as connection:
        for body in (chat_body(), b"{", chat_body(stream=True), chat_body("no-such-bot"), chat_body()):
            connection.request("POST", CHAT, body, JSON)
            response = connection.getresponse()
            statuses.append(response.status)
            response.read()
            assert connection.sock is not None, "the server closed the connection"
    assert statuses == [200, 400, 200, 401, 200]


def test_errors_have_the_envelope_and_no_server_header(server: LiveServer) -> None:
    for method, target, status in (("GET", "/nowhere", 404), ("PUT", CHAT, 404), ("GET", "/v1/models", 401)):
        response, body = ask(server, method, target)
        assert (response.status, response.getheader("content-type")) == (status, "application/json")
        assert list(json.loads(body)) == ["statusCode", "message", "error"]
        assert response.getheader("server") is None


def test_error_contains_the_path_as_it_was_sent(server: LiveServer) -> None:
    _, body = ask(server, "GET", "/a%20b/%E2%82%AC%2F?key=sk-secret")
    assert json.loads(body)["message"] == "Cannot GET /a%20b/%E2%82%AC%2F"


def test_options_and_head(server: LiveServer) -> None:
    response, body = ask(server, "OPTIONS", CHAT)
    assert (response.status, json.loads(body)["message"]) == (404, f"Cannot OPTIONS {CHAT}")
    _, whole = ask(server, "GET", "/health")
    response, body = ask(server, "HEAD", "/health")
    assert (response.status, body, response.getheader("content-length")) == (200, b"", str(len(whole)))


def test_preflight_is_204_without_a_body() -> None:
    page = "https://app.example"
    with live(cors_origins=(page,)) as server:
        headers = {"origin": page, "access-control-request-method": "POST"}
        response, body = ask(server, "OPTIONS", CHAT, headers=headers)
        assert (response.status, body) == (204, b"")
        assert response.getheader("access-control-allow-origin") == page
        assert response.getheader("content-length") is None
        assert response.getheader("transfer-encoding") is None


def test_foreign_host_is_403_and_missing_host_is_served(server: LiveServer) -> None:
    response, _ = ask(server, "GET", "/health", headers={"host": "evil.example"})
    assert response.status == 403
    with server.socket() as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


def test_exactly_20_of_45_concurrent_requests_pass() -> None:
    with live(rate_limit=RateLimit(20, 60)) as server, ThreadPoolExecutor(15) as pool:
        answers = [pool.submit(post, server, chat_body()) for _ in range(45)]
        statuses = [answer.result()[0].status for answer in answers]
        assert sorted(statuses) == [200] * 20 + [429] * 25
        response, _ = post(server, chat_body())
        assert (response.status, response.getheader("retry-after")) == (429, "60")


def test_forwarded_address_cannot_bypass_the_limit() -> None:
    with live(rate_limit=RateLimit(1, 60)) as server:
        answers = [post(server, chat_body(), **{"x-forwarded-for": f"192.0.2.{number}"}) for number in (1, 2)]
    assert [response.status for response, _ in answers] == [200, 429]


# Bodies


def test_too_large_content_length_is_413_before_the_body_is_sent() -> None:
    with live(max_body_bytes=1_000) as server, server.socket() as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("sized", [True, False], ids=["content-length", "chunked"])
def test_very_large_body_is_413_and_the_connection_survives(server: LiveServer, *, sized: bool) -> None:
    pieces = [b" " * MIB] * 5
    with server.connection() as connection:
        connection.request("POST", CHAT, b"".join(pieces) if sized else iter(pieces), JSON)
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["message"]) == (413, "request entity too large")
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200


def test_large_history_is_accepted(server: LiveServer) -> None:
    response, _ = post(server, chat_body(text="x" * 3 * MIB))
    assert response.status == 200
    response, _ = post(server, iter([chat_body(text="x" * 3 * MIB)]))
    assert response.status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"null", b"[" * 200_000, b'{"a":' * 200_000])
def test_invalid_body_is_400(server: LiveServer, body: bytes) -> None:
    response, answer = post(server, body)
    assert (response.status, json.loads(answer)["error"]) == (400, "Bad Request")


def test_malicious_token_is_401(server: LiveServer, server_log: list[Any]) -> None:
    nested = urlsafe_b64encode(b'{"alg":"HS256","x":' + b"[" * 20_000).decode().rstrip("=")
    for token in (f"{nested}.e30.AAAA", "a" * 50_000, "\xe9.\xe9.\xe9"):
        response, _ = ask(server, "GET", "/v1/models", headers={"authorization": f"Bearer {token}"})
        assert response.status == 401
    assert server_log == []


# Streams


class Stream:
    """A streamed response, read from the socket as it arrives."""

    def __init__(self, connection: socket.socket, **fields: Any) -> None:
        body = chat_body(stream=True, **fields)
        head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self._file = connection.makefile("rb")

    def head(self) -> list[bytes]:
        """Returns the lines of the head."""
        return list(iter(self._file.readline, b"\r\n"))

    def chunk(self) -> bytes:
        """Returns the next chunk of the chunked encoding; the last one is empty."""
        size = int(self._file.readline(), 16)
        data = self._file.read(size)
        assert self._file.readline() == b"\r\n"
        return data


def test_each_delta_is_sent_before_the_next_is_generated(server: LiveServer) -> None:
    gates = [asyncio.Event() for _ in range(3)]
    deltas: list[Step] = [TextDelta("Hél"), gates[0], TextDelta("lo "), gates[1], TextDelta("😀"), gates[2]]
    server.app.supervisor.plays(*deltas, TURN_FINISHED)
    with server.socket() as connection:
        stream = Stream(connection)
        status, *headers = stream.head()
        assert status == b"HTTP/1.1 200 OK\r\n"
        assert b"content-type: text/event-stream\r\n" in headers
        assert b"connection: keep-alive\r\n" in headers
        assert b"transfer-encoding: chunked\r\n" in headers
        assert b'"delta":{"role":"assistant"}' in stream.chunk()
        for text, gate in zip(("Hél", "lo ", "😀"), gates, strict=True):
            assert f'"delta":{{"content":"{text}"}}'.encode() in stream.chunk()
            server.open(gate)
        assert b'"delta":{},"finish_reason":"stop"' in stream.chunk()
        assert stream.chunk() == b"data: [DONE]\n\n"
        assert stream.chunk() == b""


def test_status_line_is_not_sent_before_the_first_event(server: LiveServer) -> None:
    gate = asyncio.Event()
    server.app.supervisor.plays(gate, *says("Hi"))
    with server.socket() as connection:
        stream = Stream(connection)
        server.run(server.app.supervisor.runs())
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
        connection.settimeout(PATIENCE)
        server.open(gate)
        assert stream.head()[0] == b"HTTP/1.1 200 OK\r\n"


def test_idle_stream_has_heartbeats() -> None:
    with live(responses=ResponseSettings(stream_head=0.01, heartbeat=0.02)) as server, server.socket() as connection:
        server.app.supervisor.plays(asyncio.Event())
        stream = Stream(connection)
        assert stream.head()[0] == b"HTTP/1.1 200 OK\r\n"
        assert b'"role"' in stream.chunk()
        assert [stream.chunk() for _ in range(3)] == [b": ping\n\n"] * 3


def test_failed_stream_ends_with_a_complete_response(server: LiveServer, server_log: list[Any]) -> None:
    server.app.supervisor.plays(TextDelta("Hel"), KeyError("sk-secret"))
    response, body = post(server, chat_body(stream=True))
    assert response.status == 200
    *_, error, done, rest = body.split(b"\n\n")
    assert json.loads(error[6:])["error"]["statusCode"] == 500
    assert (done, rest) == (b"data: [DONE]", b"")
    assert server_log == []


def test_two_hundred_deltas_arrive_in_order(server: LiveServer) -> None:
    texts = [f"{number}é " for number in range(200)]
    server.app.supervisor.plays(*says(*texts))
    _, body = post(server, chat_body(stream=True))
    events = [json.loads(event[6:]) for event in body.decode().split("\n\n")[:-2]]
    assert [event["choices"][0]["delta"].get("content") for event in events[1:-1]] == texts
    assert len({(event["id"], event["created"], event["model"]) for event in events}) == 1
