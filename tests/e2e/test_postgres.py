"""A server on PostgreSQL, starting with an empty database."""

import asyncio
from pathlib import Path

import httpx

from support.process import Server, run_polyant, serving

KEYS = {"ENCRYPTION_KEY": "0123456789abcdef" * 4, "AUTH_SECRET": "a secret of more than thirty-two characters"}
ADMIN = {"INITIAL_ADMIN_EMAIL": "ada@example.com", "INITIAL_ADMIN_PASSWORD": "correct horse battery staple"}


async def test_server_and_commands_share_one_database(tmp_path: Path, postgres_url: str) -> None:
    await asyncio.to_thread(_serve_twice, tmp_path, {"DATABASE_URL": postgres_url, **KEYS, **ADMIN})


async def test_start_with_another_key_is_rejected(tmp_path: Path, postgres_url: str) -> None:
    variables = {"DATABASE_URL": postgres_url, **KEYS}
    assert (await asyncio.to_thread(run_polyant, tmp_path, "migrate", **variables)).returncode == 0
    variables["ENCRYPTION_KEY"] = "f" * 64
    refused = await asyncio.to_thread(run_polyant, tmp_path, "serve", "--port", "0", **variables)
    assert refused.returncode == 3
    assert "The master key is not the key" in refused.stderr


async def test_commands_on_an_empty_database_name_the_remedy(tmp_path: Path, postgres_url: str) -> None:
    refused = await asyncio.to_thread(run_polyant, tmp_path, "instances", "list", DATABASE_URL=postgres_url, **KEYS)
    assert refused.returncode == 3
    assert refused.stderr == "polyant: The database is empty. Run `polyant migrate`\n"


def _serve_twice(folder: Path, variables: dict[str, str]) -> None:
    with serving(folder, **variables) as server:
        server.stdout.wait_for("PostgreSQL database in DATABASE_URL")
        server.stdout.wait_for("Keys       from the environment")
        assert _ask(server).status_code == 200
        key = run_polyant(folder, "keys", "issue", "demo-bot", **variables).stdout.strip()
    with serving(folder, **variables) as server:
        assert _ask(server).json()["message"] == "Missing Bearer token"
        assert _ask(server, key).status_code == 200
        assert httpx.get(f"{server.url}/health/ready").status_code == 200
    assert list(folder.iterdir()) == []  # nothing is stored on this machine


def _ask(server: Server, key: str | None = None) -> httpx.Response:
    body = {"model": "demo-bot", "messages": [{"role": "user", "content": "Hello!"}]}
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{server.base_url}/chat/completions", json=body, headers=headers)


async def test_unusual_text_in_the_management_api_causes_no_database_error(tmp_path: Path, postgres_url: str) -> None:
    await asyncio.to_thread(_send_unusual_texts, tmp_path, {"DATABASE_URL": postgres_url, **KEYS, **ADMIN})


def _send_unusual_texts(folder: Path, variables: dict[str, str]) -> None:
    login = {"email": ADMIN["INITIAL_ADMIN_EMAIL"], "password": ADMIN["INITIAL_ADMIN_PASSWORD"]}
    with serving(folder, **variables) as server, httpx.Client(base_url=f"{server.url}/api") as client:
        client.headers["Authorization"] = f"Bearer {client.post('/auth/login', json=login).json()['token']}"
        for text in ("%00", "a%00b", "%F0%9F%90%9C", "%25_%5C'\"", "%ED%A0%80", "null"):
            for path in (
                *(f"/instances?search={text}", f"/users?search={text}", f"/audit?instance={text}"),
                *(f"/audit?user={text}", f"/audit?action={text}"),
                *(f"/instances/demo-bot/conversations?{name}={text}" for name in ("search", "channel")),
            ):
                assert client.get(path).status_code == 200, path
            for path in (f"/instances/{text}", f"/users/{text}", f"/instances/demo-bot/secrets/{text}"):
                assert client.delete(path).status_code == 404, path
        for email in ("a\0@example.com", "\0", "🐜@example.com"):
            assert client.post("/auth/login", json={**login, "email": email}).status_code in {401, 429}
        assert client.patch("/instances/demo-bot", json={"name": "\0"}).status_code == 400
        assert client.get("/audit").json()["total"] == 3  # only the first start and the login
