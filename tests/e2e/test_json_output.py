"""With LOG_FORMAT=json, each line that `polyant serve` writes is a JSON object."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.packages import install
from support.process import SERVE, Server, eventually, run, run_polyant, starting

SOURCE = """
import sys
import threading
import warnings

from polyant.adapters.memory.key_check import MemoryKeyCheck

class Noisy(MemoryKeyCheck):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        print("hello", end="")
        print(" world")
        print("oops\\nagain", file=sys.stderr)
        warnings.warn("old-fashioned")
        thread = threading.Thread(target=int, args=("a bug",))
        thread.start()
        thread.join()

class Broken(MemoryKeyCheck):
    async def read(self):
        raise RuntimeError("a bug")
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("packages")
    install(folder, "acme-noise", SOURCE, [("key_check", "noisy", "Noisy"), ("key_check", "broken", "Broken")])
    return str(folder)


def records(text: str) -> list[dict[str, Any]]:
    """Returns the objects of the lines; fails if one isn't an object."""
    found = [json.loads(line) for line in text.splitlines()]
    for each in found:
        assert each.keys() >= {"time", "level", "logger", "message"}, each
    return found


@contextmanager
def serving_json(folder: Path, *options: str, **variables: str) -> Iterator[Server]:
    with starting(folder, (*SERVE, *options), LOG_FORMAT="json", **variables) as server:
        server.url = server.stdout.wait_for(r'"base_url": *"([^"]+)/v1"')[1]
        yield server


def test_banner_is_one_record(tmp_path: Path) -> None:
    with serving_json(tmp_path) as server:
        assert httpx.get(f"{server.url}/health").status_code == 200
    [banner] = records(server.stdout.text)
    assert banner["message"] == "ready"
    assert banner["base_url"] == f"{server.url}/v1"
    assert banner["model"] == "demo-bot"
    assert banner["data"] == f"{tmp_path}/.polyant/polyant.db"
    assert banner["password_file"] == f"{tmp_path}/.polyant/initial-admin-password"
    assert any(each["message"] == "request" for each in records(server.stderr.text))


def test_invalid_requests_are_records(tmp_path: Path) -> None:
    with serving_json(tmp_path) as server:
        for rubbish in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n"):
            with socket.create_connection(("localhost", int(server.url.rpartition(":")[2]))) as client:
                client.sendall(rubbish)
                client.shutdown(socket.SHUT_WR)
                assert client.recv(65_536)
    assert [each for each in records(server.stderr.text) if each.get("status") == 400]


def test_replaced_worker_is_a_record(tmp_path: Path) -> None:
    with serving_json(tmp_path, "--workers", "2") as server:
        [victim, other] = sorted(server.workers())
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(server.workers() - {victim, other}), 1)
        server.stderr.wait_for("a worker ended unexpectedly and was replaced")
    [record] = [each for each in records(server.stderr.text) if "replaced_by" in each]
    assert (record["level"], record["worker"], record["exit_code"]) == ("warning", victim, -signal.SIGKILL)
    assert len(records(server.stdout.text)) == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_output_of_adapters_is_in_records(tmp_path: Path, packages: str, workers: str) -> None:
    with serving_json(tmp_path, "--workers", workers, KEY_CHECK="noisy", PYTHONPATH=packages) as server:
        httpx.get(f"{server.url}/health")
    assert {"hello world", "ready"} == {each["message"] for each in records(server.stdout.text)}
    written = records(server.stderr.text)
    messages = [each["message"] for each in written]
    assert {"oops", "again"} <= set(messages)
    assert any("old-fashioned" in message for message in messages)
    assert any("ValueError" in each.get("exception", "") for each in written)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_unexpected_failure_of_a_start_is_in_records(tmp_path: Path, packages: str, workers: str) -> None:
    command = [*SERVE, "--workers", workers]
    done = run(tmp_path, command, KEY_CHECK="broken", PYTHONPATH=packages, LOG_FORMAT="json")
    assert (done.returncode, done.stdout) == (1, "")
    [record] = records(done.stderr)
    assert record["level"] == "critical"
    assert "RuntimeError: a bug" in record["exception"]


@pytest.mark.parametrize(
    "options, code, message",
    [
        (("--workers", "0"), 2, 'argument --workers: must be a whole number from 1 to 1000, not "0"'),
        (("--port", "70000"), 2, 'argument --port: must be a whole number from 0 to 65535, not "70000"'),
        (("--nonsense",), 2, "unrecognized arguments: --nonsense"),
        (("--host", "192.0.2.1"), 3, "Can't listen on 192.0.2.1:0"),
    ],
)
def test_failed_start_is_one_record(tmp_path: Path, options: tuple[str, ...], code: int, message: str) -> None:
    for arguments, variables in (((), {"LOG_FORMAT": "json"}), (("--log-format", "json"), {}), (("--log-f=json",), {})):
        done = run_polyant(tmp_path, "serve", "--port", "0", *arguments, *options, **variables)
        assert (done.returncode, done.stdout) == (code, "")
        [record] = records(done.stderr)
        assert record["level"] == "error"
        assert message in record["message"]


def test_invalid_settings_are_records(tmp_path: Path) -> None:
    done = run_polyant(tmp_path, "serve", LOG_FORMAT="json", API_PORT="-1", RATE_LIMIT="many")
    assert done.returncode == 3
    assert [each["message"] for each in records(done.stderr)] == [
        'API_PORT must be a whole number from 0 to 65535, not "-1"',
        'RATE_LIMIT must be calls/seconds such as 20/60, or off, not "many"',
    ]


def test_errors_of_other_commands_are_text(tmp_path: Path) -> None:
    done = run_polyant(tmp_path, "instances", "list", LOG_FORMAT="json")
    assert done.stderr.startswith("polyant: There is no data")
