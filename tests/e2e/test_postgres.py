"""A server on PostgreSQL, from an empty database on."""

import asyncio
from pathlib import Path

import httpx

from support.process import Server, run_polyant, serving

KEYS = {"ENCRYPTION_KEY": "0123456789abcdef" * 4, "AUTH_SECRET": "a secret of more than thirty-two characters"}
ADMIN = {"INITIAL_ADMIN_EMAIL": "ada@example.com", "INITIAL_ADMIN_PASSWORD": "correct horse battery staple"}


async def test_server_and_commands_work_on_one_database(tmp_path: Path, postgres_url: str) -> None:
    await asyncio.to_thread(_serve_twice, tmp_path, {"DATABASE_URL": postgres_url, **KEYS, **ADMIN})


async def test_start_with_another_key_is_refused(tmp_path: Path, postgres_url: str) -> None:
    variables = {"DATABASE_URL": postgres_url, **KEYS}
    assert (await asyncio.to_thread(run_polyant, tmp_path, "migrate", **variables)).returncode == 0
    variables["ENCRYPTION_KEY"] = "f" * 64
    refused = await asyncio.to_thread(run_polyant, tmp_path, "serve", "--port", "0", **variables)
    assert refused.returncode == 3
    assert "ENCRYPTION_KEY is not the key" in refused.stderr


async def test_commands_on_an_empty_database_say_what_to_do(tmp_path: Path, postgres_url: str) -> None:
    refused = await asyncio.to_thread(run_polyant, tmp_path, "instances", "list", DATABASE_URL=postgres_url, **KEYS)
    assert refused.returncode == 3
    assert refused.stderr == "polyant: The database is empty: run `polyant migrate`\n"


def _serve_twice(folder: Path, variables: dict[str, str]) -> None:
    with serving(folder, **variables) as server:
        assert "PostgreSQL database of DATABASE_URL" in server.stdout.text
        assert "Keys       from the environment" in server.stdout.text
        assert _ask(server).status_code == 200
        key = run_polyant(folder, "keys", "issue", "demo-bot", **variables).stdout.strip()
    with serving(folder, **variables) as server:
        assert _ask(server).json()["message"] == "Missing Bearer token"
        assert _ask(server, key).status_code == 200
        assert httpx.get(f"{server.url}/health/ready").status_code == 200
    assert list(folder.iterdir()) == []  # nothing of it is kept on this machine


def _ask(server: Server, key: str | None = None) -> httpx.Response:
    body = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{server.base_url}/chat/completions", json=body, headers=headers)
