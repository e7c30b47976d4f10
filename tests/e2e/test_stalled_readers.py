"""A stalled reader can't hold its turn beyond the turn's deadline."""

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
from support.process import Server, eventually, run_polyant, serving
from support.upstream import Received, UpstreamThread

MAX_TURNS = 2
MORE_THAN_ALL_BUFFERS_HOLD = ScriptedAnswer(text=("x" * 65_536,) * 256)
BODY = {"model": "relay", "messages": [{"role": "user", "content": "Hello!"}]}


@pytest.fixture
def engine(upstream: UpstreamThread, tmp_path: Path) -> Iterator[Server]:
    """A server that runs at most two turns at a time, each for at most two seconds."""
    settings = {
        "MAX_CONCURRENT_TURNS": str(MAX_TURNS),
        "TURN_SECONDS": "2",
        "RATE_LIMIT": "off",
        "OPENAI_API_KEY": "upstream-key-0123456789",
        "PROVIDER_HOSTS": upstream.upstream.url,
    }
    with serving(tmp_path, **settings) as server:
        base_url = f"{upstream.upstream.url}/v1"
        arguments = ("--provider", "openai", "--model", "tiny", "--base-url", base_url)
        done = run_polyant(server.folder, "instances", "create", "relay", *arguments)
        assert done.returncode == 0, done.stderr
        yield server


@pytest.mark.parametrize("buffer", [4_096, None], ids=["small window", "default window"])
def test_turns_of_stalled_readers_end_at_the_deadline(
    engine: Server, upstream: UpstreamThread, buffer: int | None
) -> None:
    upstream.upstream.otherwise = openai_responder(MORE_THAN_ALL_BUFFERS_HOLD)
    with ExitStack() as stack:
        for number in range(MAX_TURNS):
            stack.enter_context(stalled(engine, buffer))
            upstream.run(upstream.upstream.request(number), seconds=PATIENCE)
        for received in upstream.upstream.posts:
            upstream.run(hung_up(received), seconds=PATIENCE)
        upstream.upstream.otherwise = openai_responder("Hi")
        # The slots are free a tenth of a second after the connections to the provider.
        eventually(lambda: ask(engine).status_code, 200)
        assert [ask(engine).json()["choices"][0]["message"]["content"] for _ in range(MAX_TURNS)] == ["Hi"] * MAX_TURNS


def ask(engine: Server) -> httpx.Response:
    return httpx.post(f"{engine.url}/v1/chat/completions", json=BODY)


@contextmanager
def stalled(engine: Server, buffer: int | None) -> Iterator[None]:
    """Requests a stream without reading it."""
    host, _, port = engine.url.removeprefix("http://").partition(":")
    body = msgspec.json.encode({**BODY, "stream": True})
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.socket() as client:
        if buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.connect((host, int(port)))
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        yield


async def hung_up(received: Received) -> None:
    await received.hung_up.wait()
