"""The request to the provider ends when the client disconnects."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from support.openai_replies import openai_partial_stream
from support.patience import PATIENCE
from support.process import Server
from support.upstream import HANG_BEFORE_HEAD, Received, Reply, Then, UpstreamThread


@pytest.mark.parametrize(
    "stream, reply",
    [(True, openai_partial_stream("Hel", then=Then.HANG)), (True, HANG_BEFORE_HEAD), (False, HANG_BEFORE_HEAD)],
    ids=["in mid-stream", "before the first byte", "without a stream"],
)
def test_provider_request_ends_when_the_client_disconnects(
    engine: Server, upstream: UpstreamThread, reply: Reply, *, stream: bool
) -> None:
    upstream.upstream.replies.append(reply)
    logged = engine.stderr.text.count("status=499")
    with _asking(engine, stream=stream) as client:
        received = upstream.run(upstream.upstream.request())
        if "Hel" in str(reply.pieces):
            _read_until(client, b'"Hel"')
        assert not received.hung_up.is_set()
    upstream.run(_hang_up(received))
    engine.stderr.wait_for(r"(?s)" + r".*status=499" * (logged + 1))


def test_incomplete_request_is_discarded(engine: Server, upstream: UpstreamThread) -> None:
    with _connected(engine) as client:
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{")
    with _asking(engine, stream=False):
        upstream.upstream.replies.append(HANG_BEFORE_HEAD)
        assert upstream.run(upstream.upstream.request()).json()["model"] == "tiny"


async def _hang_up(received: Received) -> None:
    await received.hung_up.wait()


@contextmanager
def _connected(engine: Server) -> Iterator[socket.socket]:
    host, _, port = engine.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
        yield client


@contextmanager
def _asking(engine: Server, *, stream: bool) -> Iterator[socket.socket]:
    body = {"model": "relay", "messages": [{"role": "user", "content": "Hello!"}], "stream": stream}
    encoded = msgspec.json.encode(body)
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with _connected(engine) as client:
        client.sendall(f"{head}Content-Length: {len(encoded)}\r\n\r\n".encode() + encoded)
        yield client


def _read_until(client: socket.socket, part: bytes) -> None:
    read = b""
    while part not in read:
        piece = client.recv(4096)
        assert piece, read
        read += piece
