import json
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.process import EXECUTED, SERVE, Server, environment, run_polyant, serving, starting


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on its first start, executed as a user would, in an empty folder with an empty environment."""
    with starting(tmp_path_factory.mktemp("first"), (*EXECUTED, *SERVE)) as server:
        server.wait_until_ready()
        yield server


def test_data_and_keys_are_accessible_to_their_owner_only(server: Server) -> None:
    home = server.folder / ".polyant"
    created = {str(path.relative_to(home)): path for path in [home, *home.rglob("*")]}
    modes = {name: stat.S_IMODE(path.stat().st_mode) for name, path in created.items()}
    assert {name: mode for name, mode in modes.items() if created[name].is_dir()} == {".": 0o700, "keys": 0o700}
    files = {name: mode for name, mode in modes.items() if created[name].is_file()}
    assert files.keys() >= {"polyant.db", "keys/encryption.key", "keys/auth.secret"}
    assert set(files.values()) == {0o600}


def test_no_other_files_are_created(server: Server) -> None:
    assert [path.name for path in server.folder.iterdir()] == [".polyant"]


def test_keys_have_256_random_bits(server: Server) -> None:
    texts = {(server.folder / ".polyant/keys" / name).read_text() for name in ("encryption.key", "auth.secret")}
    assert len(texts) == 2
    assert all(re.fullmatch(r"[0-9a-f]{64}\n", text) for text in texts)


def test_banner_shows_addresses_and_paths(server: Server) -> None:
    home = server.folder / ".polyant"
    output = server.stdout.text
    assert re.search(r"Base URL +http://localhost:\d+/v1\n", output)
    assert re.search(r"Model +demo-bot \(.*demo", output)
    assert re.search(rf"Data +{home}/polyant\.db\n", output)
    assert re.search(rf"Keys +{home}/keys\n", output)
    assert "GET /v1/models requires an API key" in output
    assert "polyant keys issue demo-bot\n" in output
    assert server.stderr.text == ""


def test_curl_command_of_the_banner_works_as_printed(server: Server) -> None:
    line = re.search(r"curl .*?}'\n", server.stdout.text, re.DOTALL)
    assert line
    done = subprocess.run(line[0], shell=True, capture_output=True, check=True, env=environment(server.folder))  # noqa: S602 - as a user would
    answer = json.loads(done.stdout)["choices"][0]["message"]["content"]
    assert "demo" in answer
    assert "Hello!" in answer


def test_command_of_the_banner_issues_a_key_for_the_models(server: Server) -> None:
    issued = run_polyant(server.folder, "keys", "issue", "demo-bot")
    headers = {"Authorization": f"Bearer {issued.stdout.strip()}"}
    models = httpx.get(f"{server.base_url}/models", headers=headers)
    assert [model["id"] for model in models.json()["data"]] == ["demo-bot"]
    assert httpx.get(f"{server.base_url}/models").status_code == 401


def test_second_start_keeps_the_data(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert run_polyant(tmp_path, "instances", "create", "mine").returncode == 0
        assert run_polyant(tmp_path, "instances", "delete", "demo-bot", "--yes").returncode == 0
        assert server.stop(signal.SIGINT) == 0
    keys = {path: path.read_text() for path in (tmp_path / ".polyant/keys").iterdir()}
    with serving(tmp_path) as server:
        assert re.search(r"Model +mine ", server.stdout.text)
        listed = json.loads(run_polyant(tmp_path, "instances", "list", "--json").stdout)
        assert [instance["slug"] for instance in listed["instances"]] == ["mine"]
        assert _statuses_of_quick_requests(server, "mine", 21) == [200] * 20 + [429]
    assert keys == {path: path.read_text() for path in (tmp_path / ".polyant/keys").iterdir()}


def test_open_instance_on_a_public_address_causes_a_warning(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0") as server:
        assert (
            "WARNING polyant: everyone who can reach 0.0.0.0 can use demo-bot without an API key" in server.stderr.text
        )
        assert run_polyant(tmp_path, "keys", "issue", "demo-bot").returncode == 0
    with serving(tmp_path, "--host", "0.0.0.0") as server:
        assert server.stderr.text == ""


def test_several_workers_serve_and_stop_together(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2") as server:
        assert _statuses_of_quick_requests(server, "demo-bot", 4) == [200] * 4
        server.send_group(signal.SIGINT)
        assert server.wait() == 0


def _statuses_of_quick_requests(server: Server, model: str, count: int) -> list[int]:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}]}
    with httpx.Client(base_url=server.base_url) as client:
        return [client.post("/chat/completions", json=body).status_code for _ in range(count)]
