"""A server whose instances are in a file that its operator writes."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support import yaml_instance_repo
from support.packages import install
from support.process import Server, eventually, run_polyant, serving

KEY = "sk-a-key-for-callers"
BOT = "bot:\n  provider: scripted\n  model: demo\n  description: in a file\n"
VARIABLES = {"INSTANCE_REPO": "yaml", "RATE_LIMIT": "off", "INITIAL_ADMIN_PASSWORD": "correct horse battery"}


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    packages = tmp_path_factory.mktemp("packages")
    source = Path(yaml_instance_repo.__file__).read_text()
    install(packages, "acme-yaml", source, [("instance_repo", "yaml", "YamlInstanceRepo")])
    return {"PYTHONPATH": str(packages), **VARIABLES}


@pytest.fixture(scope="module")
def server(variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("read-only")
    (folder / "instances.yaml").write_text(BOT)
    with serving(folder, **variables) as server:
        yield server


def ask(server: Server, **headers: str) -> httpx.Response:
    body = {"model": "bot", "messages": [{"role": "user", "content": "Hello!"}]}
    return httpx.post(f"{server.base_url}/chat/completions", json=body, headers=headers)


def test_change_is_forbidden_and_named(server: Server) -> None:
    with httpx.Client(base_url=server.url) as client:
        credentials = {"email": "admin@localhost", "password": VARIABLES["INITIAL_ADMIN_PASSWORD"]}
        token = client.post("/api/auth/login", json=credentials).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        shown = client.get("/api/instances/bot")
        refused = client.patch("/api/instances/bot", json={"name": "Other"})
    assert shown.status_code == 200, shown.text
    assert "in a file" in shown.text
    assert (refused.status_code, refused.json()["error"]) == (403, "Forbidden")
    assert refused.json()["message"].startswith("The instances of this server are read-only. Change the instance where")


@pytest.mark.parametrize(
    "command",
    [
        ("instances", "update", "bot", "--name", "Other"),
        ("instances", "create", "another"),
        ("instances", "delete", "bot", "--yes"),
        ("keys", "issue", "bot"),
    ],
)
def test_command_that_changes_an_instance_has_an_exit_code_of_its_own(
    server: Server, variables: dict[str, str], command: tuple[str, ...]
) -> None:
    done = run_polyant(server.folder, *command, **variables)
    assert (done.returncode, done.stdout) == (6, ""), done.stderr
    assert done.stderr.startswith("polyant: The instances of this server are read-only. Change the instance where")


def test_encrypted_secret_works_in_the_file(server: Server, variables: dict[str, str]) -> None:
    assert ask(server).status_code == 200
    done = run_polyant(server.folder, "secrets", "encrypt", "bot", "auth_api_key", given=f"{KEY}\n", **variables)
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout
    secret = json.dumps(json.loads(done.stdout))
    entry = f"{BOT}  auth_enabled: true\n  secrets:\n    auth_api_key: {secret}\n"
    (server.folder / "instances.yaml").write_text(entry)
    eventually(lambda: ask(server).status_code, 401)
    assert ask(server, Authorization=f"Bearer {KEY}").status_code == 200


def test_server_without_an_instance_starts(variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "instances.yaml").write_text("")
    with serving(tmp_path, **variables) as server:
        assert httpx.get(f"{server.url}/health/ready").status_code == 200
