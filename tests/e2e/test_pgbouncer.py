"""PgBouncer in front of PostgreSQL: what works, and a start that fails with one line."""

from pathlib import Path

import httpx
import pytest

from support.pgbouncer import running_pgbouncer, supports_prepared_statements
from support.process import SECRETS, run_polyant, serving

FIX = "set max_prepared_statements = 200 in PgBouncer (1.21 or later), or pool_mode = session"


@pytest.mark.parametrize(
    "command", [("serve", "--port", "0"), ("serve", "--port", "0", "--workers", "2"), ("migrate",)]
)
@pytest.mark.parametrize("migrated", [False, True])
def test_lost_prepared_statements_are_one_line(
    tmp_path: Path, postgres_url: str, command: tuple[str, ...], *, migrated: bool
) -> None:
    if migrated:
        assert run_polyant(tmp_path, "migrate", DATABASE_URL=postgres_url, **SECRETS).returncode == 0
    with running_pgbouncer(postgres_url, pool_mode="transaction") as url:
        done = run_polyant(tmp_path, *command, DATABASE_URL=url, **SECRETS)
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    [line] = done.stderr.splitlines()
    assert FIX in line


def test_lost_prepared_statements_are_a_fault(tmp_path: Path, postgres_url: str) -> None:
    with running_pgbouncer(postgres_url, pool_mode="transaction") as url:
        done = run_polyant(tmp_path, "doctor", DATABASE_URL=url, API_PORT="0", **SECRETS)
    assert (done.returncode, done.stderr) == (1, "")
    [line] = [line for line in done.stdout.splitlines() if line.startswith("fault")]
    assert line.startswith("fault    database: ")
    assert FIX in line


def test_mode_that_keeps_prepared_statements_works(tmp_path: Path, postgres_url: str) -> None:
    """Session mode works with every PgBouncer; from 1.21, transaction mode does, too, if it keeps them."""
    with running_pgbouncer(postgres_url, pool_mode="session") as url:
        _serves(tmp_path, url)
    if supports_prepared_statements():
        with running_pgbouncer(postgres_url, pool_mode="transaction", prepared_statements=200) as url:
            _serves(tmp_path, url)


def _serves(tmp_path: Path, url: str) -> None:
    with serving(tmp_path, "--workers", "2", DATABASE_URL=url, **SECRETS) as server:
        for _ in range(20):
            body = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}
            response = httpx.post(f"{server.base_url}/chat/completions", json=body)
            assert response.status_code in {200, 429}, response.text
        assert httpx.get(f"{server.url}/health/ready").status_code == 200
