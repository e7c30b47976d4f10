"""A script that uses nothing but HTTP: an instance from its creation to its export and import, and the audit trail."""

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from support.process import Server, eventually, run_polyant, serving

ADMIN = "ada@example.com"
PASSWORD = "correct horse battery staple"
OTHER_PASSWORD = "another password of mine"
TOKEN_VALUE = "value-of-the-crm-token"
OWN_KEY = "sk-of-our-own-choice-0123456789"
METRICS_TOKEN = "a-token-for-the-scraper"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two workers."""
    given = {"INITIAL_ADMIN_EMAIL": ADMIN, "INITIAL_ADMIN_PASSWORD": PASSWORD, "METRICS_TOKEN": METRICS_TOKEN}
    folder = tmp_path_factory.mktemp("managed")
    with serving(folder, "--workers", "2", RATE_LIMIT="off", REPORT_USAGE="true", **given) as server:
        yield server


class Script:
    """Calls the management API, which any worker may answer."""

    def __init__(self, server: Server) -> None:
        self._url = f"{server.url}/api"
        self._headers = {"Connection": "close"}
        self.secrets: list[str] = [PASSWORD]

    def log_in(self, email: str = ADMIN, password: str = PASSWORD) -> None:
        token = self.call("POST", "/auth/login", {"email": email, "password": password})["token"]
        self._headers["Authorization"] = f"Bearer {token}"
        self.secrets.append(token)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        response = httpx.request(method, f"{self._url}{path}", json=body, headers={**self._headers, **headers})
        assert response.is_success, response.text
        return response.json()

    def status(self, method: str, path: str) -> int:
        return httpx.request(method, f"{self._url}{path}", headers=self._headers).status_code


@pytest.fixture(scope="module")
def script(server: Server) -> Script:
    script = Script(server)
    script.log_in()
    return script


HEARD = {"You said: Hello!"}


def said_to(server: Server, key: str, model: str = "support") -> set[str]:
    """Returns what the workers answer the holder of a key, or their refusals."""
    return {_say_hello(server, key, model) for _ in range(6)}


def _say_hello(server: Server, key: str, model: str) -> str:
    with openai.OpenAI(base_url=server.base_url, api_key=key, max_retries=0) as client:
        try:
            answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello!"}])
        except openai.AuthenticationError as error:
            message: str = error.response.json()["message"]
            return message
    text = answer.choices[0].message.content or ""
    return "You said: Hello!" if "You said: Hello!" in text else text


def test_instance_is_made_used_and_moved_over_http_alone(server: Server, script: Script) -> None:
    script.call("POST", "/instances", {"slug": "support", "name": "Support", "description": "Answers customers"})
    sections = [{"key": "01-identity", "content": "You are Ada."}, {"key": "03-tooling", "content": "{{toolCatalog}}"}]
    script.call("PATCH", "/instances/support/prompts", {"sections": sections})
    script.call("PATCH", "/instances/support/tools", {"enabled": ["calculate", "current_time"]})
    script.call("PUT", "/instances/support/secrets", {"secrets": [{"key": "crm_token", "value": TOKEN_VALUE}]})
    prompt = script.call("GET", "/instances/support/prompts/preview")["prompt"]
    assert prompt.startswith("You are Ada.\n\n---\n\n")
    assert "- calculate: " in prompt

    first = script.call("POST", "/instances/support/keys")["key"]
    script.secrets += [first, TOKEN_VALUE, OWN_KEY]
    eventually(partial(said_to, server, first), HEARD)
    second = script.call("POST", "/instances/support/keys?graceSeconds=600")["key"]
    script.secrets.append(second)
    eventually(partial(said_to, server, second), HEARD)
    assert said_to(server, first) == HEARD
    script.call("POST", "/instances/support/keys", {"key": OWN_KEY})
    eventually(partial(said_to, server, OWN_KEY), HEARD)
    for key in (first, second):
        assert said_to(server, key) == {"Invalid API key"}

    document = script.call("GET", "/instances/support/export")
    script.call("POST", "/import", {**document, "slug": "moved"})
    copy = script.call("GET", "/instances/moved/export")
    assert copy == {**document, "slug": "moved", "secrets": []}
    eventually(partial(said_to, server, OWN_KEY, "moved"), {"Auth enabled but no API key configured"})
    script.call("POST", "/import?overwrite=true", {**document, "name": "Renamed"})
    assert script.call("GET", "/instances/support")["instance"]["name"] == "Renamed"
    assert said_to(server, OWN_KEY) == HEARD


def test_playground_answers_and_its_turns_are_counted(server: Server, script: Script) -> None:
    script.call("POST", "/instances", {"slug": "played", "name": "Played"})
    body = {"model": "played", "messages": [{"role": "user", "content": "What I said"}]}
    answer = script.call("POST", "/instances/played/playground", body, **{"x-request-id": "mine"})
    assert "You said: What I said" in answer["choices"][0]["message"]["content"]

    def turns() -> list[str]:
        listed = script.call("GET", "/instances/played/turns")
        assert "What I said" not in str(listed)
        return [turn["requestId"] for turn in listed["turns"]]

    eventually(turns, ["mine"])


def test_metrics_of_all_workers_are_shown_to_the_scraper(server: Server) -> None:
    refused = httpx.get(f"{server.url}/metrics", headers={"Authorization": "Bearer wrong"})
    assert (refused.status_code, refused.json()["message"]) == (401, "Invalid metrics token")
    for _ in range(10):
        httpx.get(f"{server.url}/health", headers={"Connection": "close"})

    def healths() -> str:
        text = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}).text
        lines = [line for line in text.splitlines() if 'route="/health"' in line and "requests_total" in line]
        return lines[0].split()[-1]

    eventually(healths, "10.0")


def test_user_who_is_disabled_is_out_in_every_worker(server: Server, script: Script) -> None:
    user = script.call("POST", "/users", {"email": "eve@example.com", "password": OTHER_PASSWORD})["user"]
    eve = Script(server)
    eve.log_in("eve@example.com", OTHER_PASSWORD)
    script.secrets += [*eve.secrets, OTHER_PASSWORD]
    assert {eve.status("GET", "/instances") for _ in range(8)} == {200}
    assert eve.status("GET", "/users") == 403
    script.call("PATCH", f"/users/{user['id']}", {"disabled": True})
    assert {eve.status("GET", "/instances") for _ in range(8)} == {401}


def test_command_line_and_api_write_one_trail(server: Server, script: Script) -> None:
    assert run_polyant(server.folder, "instances", "update", "demo-bot", "--name", "By hand").returncode == 0
    assert run_polyant(server.folder, "users", "disable", "eve@example.com").returncode == 0
    entries = script.call("GET", "/audit?user=cli")["entries"]
    assert [(entry["action"], entry["instance"], entry["user"]) for entry in entries] == [
        ("user.update", None, "eve@example.com"),
        ("instance.update", "demo-bot", None),
    ]
    assert script.call("GET", "/instances/demo-bot")["instance"]["name"] == "By hand"


def test_trail_tells_the_whole_story(script: Script) -> None:
    entries = script.call("GET", "/audit?instance=support")["entries"]
    assert {entry["actor"] for entry in entries} == {ADMIN}
    assert [entry["action"] for entry in reversed(entries)] == [
        *("instance.create", "prompts.update", "instance.update", "secret.set"),
        *("key.issue", "key.issue", "key.set", "instance.import"),
    ]
    first = script.call("GET", "/audit?limit=200")["entries"][-2:]
    assert {(entry["actor"], entry["action"]) for entry in first} == {
        ("server", "instance.create"),
        ("server", "user.create"),
    }


def test_no_secret_is_anywhere_in_the_database_the_log_or_the_answers(server: Server, script: Script) -> None:
    """The last test of this file: by now every secret has been used."""
    with sqlite3.connect(server.folder / ".polyant" / "polyant.db") as database:
        dump = "\n".join(database.iterdump())
    trail = str(script.call("GET", "/audit?limit=200"))
    listed = str([script.call("GET", f"/instances/support{path}") for path in ("", "/secrets", "/export")])
    assert "support" in dump
    for secret in (*script.secrets, METRICS_TOKEN):
        for place in (dump, trail, listed, server.stdout.text, server.stderr.text):
            assert secret not in place


def test_sqlite_folder_is_where_the_data_is(server: Server) -> None:
    assert Path(server.folder, ".polyant", "polyant.db").is_file()
    assert not Path(server.folder, ".polyant", "initial-admin-password").exists()
