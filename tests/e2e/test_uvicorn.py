"""The engine under uvicorn's own command line."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.process import EXECUTED, UVICORN, Server, run_polyant, starting

BODY = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    command = (*EXECUTED, *UVICORN, "--port", "0")
    with starting(tmp_path_factory.mktemp("uvicorn"), command, LOG_FORMAT="json") as server:
        server.url = server.stderr.wait_for(r"running on (http://[^\s\"]+)")[1]
        yield server


def test_first_run_serves_the_demo(server: Server) -> None:
    answer = httpx.post(f"{server.base_url}/chat/completions", json=BODY)
    assert "You said: Hello!" in answer.json()["choices"][0]["message"]["content"]
    assert httpx.get(f"{server.url}/health/ready").json()["status"] == "ok"


def test_forwarded_address_is_not_trusted(server: Server) -> None:
    remaining = []
    for address in ("203.0.113.1", "203.0.113.2"):
        headers = {"X-Forwarded-For": address}
        answer = httpx.post(f"{server.base_url}/chat/completions", json=BODY, headers=headers)
        remaining.append(int(answer.headers["X-RateLimit-Remaining"]))
    assert remaining[1] == remaining[0] - 1


def test_each_request_has_one_line_in_the_log(server: Server) -> None:
    httpx.get(f"{server.url}/health", headers={"x-request-id": "the-only-one"})
    server.stderr.wait_for("the-only-one")
    lines = [json.loads(line) for line in server.stderr.text.splitlines() if "/health" in line]
    about = [line for line in lines if line["path"] == "/health"]
    assert [(line["message"], line["status"], line["request_id"]) for line in about] == [
        ("request", 200, "the-only-one")
    ]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_invalid_setting_stops_the_start_with_one_line(tmp_path: Path, workers: str) -> None:
    command = (*UVICORN, "--port", "0", "--workers", workers)
    with starting(tmp_path, command, RATE_LIMIT="many") as server:
        code = server.wait()
    assert 'polyant: RATE_LIMIT must be calls/seconds such as 20/60, or off, not "many"\n' in server.stderr.text
    assert "Traceback" not in server.stderr.text
    assert code == (3 if workers == "1" else 0)  # uvicorn's parent process exits with 0 even if its workers failed
    assert list(tmp_path.iterdir()) == []


def test_wrong_key_stops_the_start_with_one_line(tmp_path: Path) -> None:
    assert run_polyant(tmp_path, "migrate").returncode == 0
    with starting(tmp_path, (*UVICORN, "--port", "0"), ENCRYPTION_KEY="f" * 64) as server:
        assert server.wait() == 3
    assert "ERROR uvicorn.error: The master key is not the key that encrypted the stored secrets" in server.stderr.text
    assert "Traceback" not in server.stderr.text


def test_missing_keys_for_postgresql_stop_the_start_with_instructions(tmp_path: Path) -> None:
    url = "postgresql://polyant:the-password@127.0.0.1:1/polyant"
    with starting(tmp_path, (*UVICORN, "--port", "0"), DATABASE_URL=url) as server:
        assert server.wait() == 3
    assert "polyant: ENCRYPTION_KEY must be set" in server.stderr.text
    assert "the-password" not in server.stderr.text
