"""A disk that is full names itself, and reads go on: on a real file system of 3 MiB."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.mounts import require_mounts, seen_by, with_small_disk
from support.process import SERVE, Server, eventually, starting

FULL = "the disk is full. Free space on the file system of "
HELLO = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}


@contextmanager
def serving_on_small_disk(folder: Path, **variables: str) -> Iterator[tuple[Server, Path]]:
    """Yields a server and the path of its POLYANT_HOME."""
    require_mounts()
    home = folder / ".polyant"
    home.mkdir()
    command = with_small_disk(SERVE, home, size="3m")
    with starting(folder, command, RATE_LIMIT="1000/60", **variables) as server:
        server.wait_until_ready()
        yield server, seen_by(server.pid, home)


def fill(home: Path) -> None:
    """Uses up the file system."""
    with (home / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4_096))
        except OSError:
            return


def chat(server: Server) -> int:
    return httpx.post(f"{server.base_url}/chat/completions", json=HELLO).status_code


def log_in(server: Server, home: Path) -> int:
    credentials = {"email": "admin@localhost", "password": (home / "initial-admin-password").read_text().strip()}
    return httpx.post(f"{server.url}/api/auth/login", json=credentials).status_code


def test_chat_and_reads_go_on_until_there_is_space_again(tmp_path: Path) -> None:
    with serving_on_small_disk(tmp_path, RATE_LIMITER="memory") as (server, home):
        assert chat(server) == 200
        fill(home)
        assert chat(server) == 200  # its metrics can't be stored
        server.stderr.wait_for(FULL)
        for _ in range(5):
            assert chat(server) == 200
            assert httpx.get(f"{server.url}/health/ready").status_code == 200
        assert log_in(server, home) == 503
        assert "again" not in server.stderr.text
        (home / "filler").unlink()
        eventually(lambda: log_in(server, home), 200)
        server.stderr.wait_for("Can use the SQLite file .* again")
        assert server.stderr.text.count("outages: Cannot use") == 1
        server.stderr.wait_for(f'request .*status=503 .*hint="Cannot use the SQLite file .*{FULL}')
    assert "Traceback" not in server.stderr.text


@pytest.mark.parametrize("fail, status", [("open", 200), ("closed", 503)])
def test_shared_limiter_falls_back_as_it_is_told(tmp_path: Path, fail: str, status: int) -> None:
    with serving_on_small_disk(tmp_path, RATE_LIMITER="piccolo", RATE_LIMIT_FAIL=fail) as (server, home):
        assert chat(server) == 200
        fill(home)
        eventually(lambda: chat(server), status)
        server.stderr.wait_for(FULL)
        assert httpx.get(f"{server.url}/health/ready").status_code == 200
        (home / "filler").unlink()
        eventually(lambda: chat(server), 200)


def test_start_on_a_full_disk_is_one_line(tmp_path: Path) -> None:
    require_mounts()
    home = tmp_path / ".polyant"
    home.mkdir()
    with starting(tmp_path, with_small_disk(SERVE, home, size="100k")) as server:
        assert server.wait() == 3
    [line] = server.stderr.text.splitlines()
    assert FULL in line
    assert server.stdout.text == ""
