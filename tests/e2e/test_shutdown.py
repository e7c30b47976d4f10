"""The shutdown of a server: immediate if it is idle, otherwise with an error for open streams."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from support.patience import PATIENCE, seconds
from support.process import Server, eventually, serving, uvicorn_serving

# Two deltas, then silence for longer than any test takes.
SCRIPT = [{"steps": [[{"text": "Half an "}, {"text": "ans"}, {"pause": 600}, {"text": "wer"}]]}]


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(SCRIPT))
    return str(path)


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_stream_ends_with_an_error_and_the_server_stops(
    tmp_path: Path, script: str, number: signal.Signals, code: int
) -> None:
    with serving(tmp_path, SCRIPTED_TURNS=script, SHUTDOWN_SECONDS="0.2") as server, _streaming(server) as lines:
        server.send(number)
        *_, error, done = [line for line in lines if line]
        assert server.wait() == code
    assert json.loads(error.removeprefix("data: "))["error"] == {
        "statusCode": 503,
        "message": "Server is shutting down",
        "error": "Service Unavailable",
    }
    assert done == "data: [DONE]"
    assert "Traceback" not in server.stderr.text
    assert "stopping running_turns=1" in server.stderr.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_ends_the_server_at_once(tmp_path: Path, script: str, number: signal.Signals) -> None:
    # Longer than the timeout of a test, which would fail if the server waited.
    with serving(tmp_path, SCRIPTED_TURNS=script, SHUTDOWN_SECONDS="600") as server, _streaming(server):
        server.send(number)
        server.stderr.wait_for("stopping running_turns=1")
        server.send(number)
        server.wait()


def test_workers_end_their_streams(tmp_path: Path, script: str) -> None:
    with serving(tmp_path, "--workers", "2", SCRIPTED_TURNS=script, SHUTDOWN_SECONDS="0.2") as server:
        with _streaming(server) as lines:
            server.send_group(signal.SIGINT)
            assert [line for line in lines if line][-1] == "data: [DONE]"
        assert server.wait() == 0


def test_uvicorn_ends_its_streams(tmp_path: Path, script: str) -> None:
    with (
        uvicorn_serving(tmp_path, SCRIPTED_TURNS=script, SHUTDOWN_SECONDS="0.2") as server,
        _streaming(server) as lines,
    ):
        server.send(signal.SIGTERM)
        assert [line for line in lines if line][-1] == "data: [DONE]"
        assert server.wait() == -signal.SIGTERM


def test_turn_that_ends_in_time_gets_its_response(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"steps": [[{"text": "A whole "}, {"pause": 0.5}, {"text": "answer"}]]}]))
    with serving(tmp_path, SCRIPTED_TURNS=str(script), SHUTDOWN_SECONDS="30") as server:
        with _streaming(server, until='"A whole "') as lines:
            server.send(signal.SIGTERM)
            last, done = [line for line in lines if line][-2:]
        assert '"finish_reason":"stop"' in last
        assert done == "data: [DONE]"
        assert server.wait() == -signal.SIGTERM


def test_idle_server_stops_soon_despite_idle_connections(tmp_path: Path) -> None:
    # Longer than the timeout of a test, which would fail if the server waited.
    with serving(tmp_path, SHUTDOWN_SECONDS="600") as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/health").status_code == 200
        assert server.stop(signal.SIGINT) == 0


@contextmanager
def _streaming(server: Server, *, until: str = '"ans"') -> Iterator[Iterator[str]]:
    """Yields the lines of a stream that has sent the given text."""
    body = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    with httpx.stream("POST", f"{server.base_url}/chat/completions", json=body, timeout=PATIENCE) as answer:
        lines = answer.iter_lines()
        assert any(until in line for line in lines)
        yield lines


@pytest.mark.parametrize("workers", ["1", "2"])
def test_stopping_server_answers_open_connections_and_refuses_new_ones(tmp_path: Path, workers: str) -> None:
    body = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hi"}]}
    patient = {"DRAIN_SECONDS": str(PATIENCE), "SHUTDOWN_SECONDS": str(PATIENCE), "RATE_LIMIT": "off"}
    with (
        serving(tmp_path, "--workers", workers, **patient) as server,
        httpx.Client(base_url=server.base_url) as client,
    ):
        assert client.post("/chat/completions", json=body).status_code == 200
        server.send(signal.SIGTERM)
        eventually(lambda: accepts_connections(server), expected=False)
        response = client.post("/chat/completions", json=body)
        assert (response.status_code, response.headers["connection"]) == (200, "close")
        assert server.wait() in {0, -signal.SIGTERM}


def accepts_connections(server: Server) -> bool:
    host, _, port = server.url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


def test_request_to_a_process_that_is_stopped_is_answered(tmp_path: Path) -> None:
    drain = seconds(2)
    variables = {"DRAIN_SECONDS": str(drain), "SHUTDOWN_SECONDS": str(PATIENCE), "RATE_LIMIT": "off"}
    body = json.dumps({"model": "demo-bot", "messages": [{"role": "user", "content": "Hi"}]})
    with serving(tmp_path, **variables) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        connection = HTTPConnection(host, int(port), timeout=PATIENCE)
        connection.request("GET", "/health")
        assert connection.getresponse().read()
        server.send(signal.SIGTERM)
        eventually(lambda: accepts_connections(server), expected=False)
        time.sleep(0.1)  # the drain time has begun
        server.send(signal.SIGSTOP)
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        time.sleep(1.5 * drain)
        server.send(signal.SIGCONT)
        assert connection.getresponse().status == 200
        assert server.wait() == -signal.SIGTERM
