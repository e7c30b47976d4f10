"""Clients that send too slowly, too much or nothing, or accept no data, against a server as operators start it."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from polyant.testing.provider_scripts import ScriptedAnswer
from support.openai_replies import openai_responder
from support.patience import PATIENCE
from support.process import (
    EXECUTED,
    SERVE,
    UVICORN,
    Server,
    eventually,
    run_polyant,
    serving,
    starting,
    uvicorn_serving,
)
from support.upstream import Received, UpstreamThread

LIMITS = {"REQUEST_SECONDS": "1", "STALL_SECONDS": "1", "RATE_LIMIT": "off"}
MORE_THAN_ALL_BUFFERS_HOLD = ScriptedAnswer(text=("x" * 65_536,) * 256)
BODY = {"model": "relay", "messages": [{"role": "user", "content": "Hello!"}]}


@pytest.fixture(scope="module", params=[serving, uvicorn_serving], ids=["serve", "uvicorn"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with request.param(tmp_path_factory.mktemp("hostile"), **LIMITS) as server:
        yield server


@contextmanager
def connected(server: Server, *, buffer: int | None = None) -> Iterator[socket.socket]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.socket() as client:
        if buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.settimeout(PATIENCE)
        client.connect((host, int(port)))
        yield client


def everything(client: socket.socket) -> bytes:
    """Returns what comes until the server closes the connection."""
    received = b""
    while piece := client.recv(65_536):
        received += piece
    return received


def test_half_a_request_times_out_with_the_envelope(server: Server) -> None:
    with connected(server) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        head, _, body = everything(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert msgspec.json.decode(body) == {"statusCode": 408, "message": "Request timed out", "error": "Request Timeout"}
    server.stderr.wait_for("status=408")


def test_endless_header_is_refused(server: Server) -> None:
    with connected(server) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 500_000)
        assert everything(client).startswith(b"HTTP/1.1 431 ")
    assert httpx.get(f"{server.url}/health").status_code == 200


def test_silent_connection_is_closed(server: Server) -> None:
    with connected(server) as client:
        assert everything(client) == b""


def test_server_that_lacks_the_protocol_warns(tmp_path: Path) -> None:
    command = (*EXECUTED, *UVICORN, "--port", "0", "--http", "httptools")  # a fork has the protocol imported already
    with starting(tmp_path, command) as server:
        server.stderr.wait_for("--http polyant.http.protocol:HttpProtocol")


def test_stalled_reader_is_cut_off_long_before_its_turn_s_deadline(upstream: UpstreamThread, tmp_path: Path) -> None:
    upstream.upstream.otherwise = openai_responder(MORE_THAN_ALL_BUFFERS_HOLD)
    key = {"OPENAI_API_KEY": "upstream-key-0123456789", "PROVIDER_HOSTS": upstream.upstream.url}
    with serving(tmp_path, **LIMITS, MAX_CONCURRENT_TURNS="1", TURN_SECONDS="3600", **key) as server:
        base_url = ("--base-url", f"{upstream.upstream.url}/v1")
        made = run_polyant(tmp_path, "instances", "create", "relay", "--provider", "openai", "--model", "m", *base_url)
        assert made.returncode == 0, made.stderr
        with connected(server, buffer=4_096) as client:
            body = msgspec.json.encode({**BODY, "stream": True})
            head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            received = upstream.run(upstream.upstream.request(), seconds=PATIENCE)
            upstream.run(hung_up(received), seconds=PATIENCE)
            server.stderr.wait_for("status=499 .*outcome=abandoned")
            upstream.upstream.otherwise = openai_responder("Hi")
            response = httpx.post(f"{server.url}/v1/chat/completions", json=BODY, timeout=PATIENCE)
            assert response.status_code == 200


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit isn't installed")
def test_more_silent_connections_than_files_leave_the_server_up(tmp_path: Path) -> None:
    command = ("prlimit", "--nofile=256:256", *SERVE)
    with starting(tmp_path, command, RATE_LIMIT="off") as server, ExitStack() as stack:
        server.url = server.stdout.wait_for(r"Base URL +(\S+)/v1")[1]
        for _ in range(300):
            stack.enter_context(connected(server))
        body = {**BODY, "model": "demo-bot"}
        for _ in range(3):
            response = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=PATIENCE)
            assert response.status_code == 200


async def hung_up(received: Received) -> None:
    await received.hung_up.wait()


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit isn't installed")
def test_server_without_file_descriptors_says_so_and_recovers(tmp_path: Path) -> None:
    command = ("prlimit", "--nofile=80:80", *SERVE)
    with starting(tmp_path, command, RATE_LIMIT="off", MAX_CONNECTIONS="1000") as server:
        server.url = server.stdout.wait_for(r"Base URL +(\S+)/v1")[1]
        with ExitStack() as stack:
            for _ in range(150):
                stack.enter_context(connected(server))
            server.stderr.wait_for(
                "ERROR polyant.http: out of file descriptors, so new connections are closed.*limit=80"
            )
        eventually(lambda: _is_healthy(server), expected=True)
    assert server.stderr.text.count("so new connections are closed") == 1
    assert "Traceback" not in server.stderr.text


def _is_healthy(server: Server) -> bool:
    try:
        return httpx.get(f"{server.url}/health").status_code == 200
    except httpx.TransportError:
        return False
