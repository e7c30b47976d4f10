"""A script manages everything over HTTP, from the first login to the audit trail, and leaks no secret."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from support.dumps import dump_of
from support.load import TRUST_ONE_PROXY, new_address
from support.postgres import PostgresServer
from support.process import EXECUTED, SECRETS, Server, eventually, run_polyant, serving

ADMIN, EVE = "ada@example.com", "eve@example.com"
PASSWORD = "correct horse battery staple"
OTHER_PASSWORDS = ("another password of mine", "a third password of mine", "a password that an admin sets")
TOKEN_VALUE = "Bearer value-of-the-crm-token"
PROVIDER_KEY = "sk-of-the-provider-0123456789"
OWN_KEY = "sk-of-our-own-choice-0123456789"
METRICS_TOKEN = "a-token-for-the-scraper"
CRM = {"name": "crm", "url": "http://127.0.0.1:9/mcp", "headers": {"Authorization": "crm_token"}, "tools": ["*"]}
EXPECTED = {"You said: Hello!"}


class Harness:
    """A server with two workers on one kind of database, and all of its responses."""

    def __init__(
        self, server: Server, variables: dict[str, str], *, client: httpx.Client, dump: Callable[[], str]
    ) -> None:
        self.server = server
        self.client = client
        """Opens a new connection for each call, so that any worker may respond."""
        self.dump = dump
        """Returns the complete content of the database."""
        self.secrets = [PASSWORD, *OTHER_PASSWORDS, TOKEN_VALUE, PROVIDER_KEY, OWN_KEY, METRICS_TOKEN]
        self.answers: list[str] = []
        """All responses and outputs, without the secrets that were intentionally shown once."""
        self._variables = variables

    def keep(self, *, shown: str, text: str) -> None:
        """Stores a response, and the secret that it shows."""
        self.secrets.append(shown)
        self.answers.append(text.replace(shown, ""))

    def command(self, *arguments: str, given: str | None = None) -> str:
        done = run_polyant(self.server.folder, *arguments, given=given, **self._variables)
        assert done.returncode == 0, done.stderr
        self.answers += [done.stdout, done.stderr]
        return done.stdout


class Script:
    """Calls the management API from a new address."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._headers = {"X-Forwarded-For": new_address()}

    def log_in(self, email: str = ADMIN, password: str = PASSWORD) -> "Script":
        answer = self._request("POST", "/auth/login", {"email": email, "password": password})
        token = answer.json()["token"]
        self._headers["Authorization"] = f"Bearer {token}"
        self._harness.keep(shown=token, text=f"{answer.text} {answer.headers}")
        return self

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self._request(method, path, body, **headers)
        assert answer.is_success, answer.text
        self._harness.answers.append(f"{answer.text} {answer.headers}")
        return answer.json()

    def issue_key(self, path: str) -> str:
        answer = self._request("POST", path)
        key: str = answer.json()["key"]
        self._harness.keep(shown=key, text=answer.text)
        return key

    def statuses(self, method: str, path: str) -> set[int]:
        """Returns the statuses of several calls to any of the workers."""
        return {self._request(method, path).status_code for _ in range(5)}

    def _request(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        url = f"{self._harness.server.url}/api{path}"
        return self._harness.client.request(method, url, json=body, headers={**self._headers, **headers})


@pytest.fixture(params=["sqlite", "postgres"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    first = {"INITIAL_ADMIN_EMAIL": ADMIN, "INITIAL_ADMIN_PASSWORD": PASSWORD, "METRICS_TOKEN": METRICS_TOKEN}
    given = {**TRUST_ONE_PROXY, "RATE_LIMIT": "off", "REPORT_USAGE": "true", **first}
    url: str | None = request.getfixturevalue("managed_url") if request.param == "postgres" else None
    variables = {} if url is None else {"DATABASE_URL": url, **SECRETS}
    before = EXECUTED if request.param == "executed" else ()
    dump = partial(dump_of, url or tmp_path / ".polyant" / "polyant.db")
    with (
        serving(tmp_path, "--workers", "2", before=before, **given, **variables) as server,
        httpx.Client(headers={"Connection": "close"}) as client,
    ):
        yield Harness(server, variables, client=client, dump=dump)


@pytest.fixture
def managed_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of a PostgreSQL database that only this test uses."""
    asyncio.run(postgres.create_database("managed"))
    yield postgres.url_of("managed")
    asyncio.run(postgres.drop_database("managed"))


def test_script_manages_everything_over_http_only(harness: Harness) -> None:
    script = Script(harness).log_in()
    create_instance(script)
    document = use_instance_during_key_replacement(harness, script)
    import_instance(harness, script, document)
    use_playground(script)
    manage_users(harness, script)
    check_audit_trail(harness, script)
    check_no_secret_leaked(harness, script)


def create_instance(script: Script) -> None:
    script.call("POST", "/instances", {"slug": "support", "name": "Support", "description": "Answers customers"})
    sections = [{"key": "01-identity", "content": "You are Ada."}, {"key": "03-tooling", "content": "{{toolCatalog}}"}]
    script.call("PATCH", "/instances/support/prompts", {"sections": sections})
    script.call("PATCH", "/instances/support/tools", {"enabled": ["calculate", "current_time"]})
    secrets = {"crm_token": TOKEN_VALUE, "openai_api_key": PROVIDER_KEY}
    stored = {"secrets": [{"key": key, "value": value} for key, value in secrets.items()]}
    script.call("PUT", "/instances/support/secrets", stored)
    prompt = script.call("GET", "/instances/support/prompts/preview")["prompt"]
    assert prompt.startswith("You are Ada.\n\n---\n\n")
    assert "- calculate: " in prompt


def use_instance_during_key_replacement(harness: Harness, script: Script) -> Any:
    """Calls the instance with several keys in turn, and returns its export."""
    first = script.issue_key("/instances/support/keys")
    eventually(partial(responses_to, harness, first), EXPECTED)
    second = script.issue_key("/instances/support/keys?graceSeconds=600")
    eventually(partial(responses_to, harness, second), EXPECTED)
    assert responses_to(harness, first) == EXPECTED
    listed = {each["key"]: each["expiresAt"] for each in script.call("GET", "/instances/support/secrets")["secrets"]}
    assert listed["auth_api_key"] is None
    assert listed["auth_api_key_previous"] is not None
    script.call("POST", "/instances/support/keys", {"key": OWN_KEY})
    eventually(partial(responses_to, harness, OWN_KEY), EXPECTED)
    for key in (first, second):
        eventually(partial(responses_to, harness, key), {"Invalid API key"})
    return script.call("GET", "/instances/support/export")


def import_instance(harness: Harness, script: Script, document: Any) -> None:
    """Imports the document under another slug, and over its own instance."""
    script.call("POST", "/import", {**document, "slug": "moved"})
    copy = script.call("GET", "/instances/moved/export")
    assert copy == {**document, "slug": "moved", "secrets": []}
    eventually(partial(responses_to, harness, OWN_KEY, "moved"), {"Auth enabled but no API key configured"})
    script.call("POST", "/import?overwrite=true", {**document, "name": "Renamed"})
    assert script.call("GET", "/instances/support")["instance"]["name"] == "Renamed"
    assert responses_to(harness, OWN_KEY) == EXPECTED
    script.call("PUT", "/instances/support/mcp-servers", {"mcpServers": [CRM]})


def use_playground(script: Script) -> None:
    """Runs a turn without the key, and checks that it is listed."""
    script.call("POST", "/instances", {"slug": "played", "name": "Played"})
    body = {"model": "played", "messages": [{"role": "user", "content": "What I said"}]}
    answer = script.call("POST", "/instances/played/playground", body, **{"x-request-id": "mine"})
    assert "You said: What I said" in answer["choices"][0]["message"]["content"]

    def turns() -> list[str]:
        listed = script.call("GET", "/instances/played/turns")
        assert "What I said" not in str(listed)
        return [turn["requestId"] for turn in listed["turns"]]

    eventually(turns, ["mine"])


def manage_users(harness: Harness, script: Script) -> None:
    """Ends users' sessions in every possible way; every worker applies it immediately."""
    first, second, third = OTHER_PASSWORDS
    user = script.call("POST", "/users", {"email": EVE, "password": first, "role": "superadmin"})["user"]
    path = f"/users/{user['id']}"
    eve, elsewhere = Script(harness).log_in(EVE, first), Script(harness).log_in(EVE, first)
    assert eve.statuses("GET", "/users") == {200}
    eve.call("POST", "/me/password", {"currentPassword": first, "newPassword": second})
    assert (eve.statuses("GET", "/auth/me"), elsewhere.statuses("GET", "/auth/me")) == ({200}, {401})
    script.call("PATCH", path, {"role": "user"})
    assert (eve.statuses("GET", "/auth/me"), eve.statuses("GET", "/users")) == ({200}, {403})
    script.call("DELETE", f"{path}/sessions")
    assert eve.statuses("GET", "/auth/me") == {401}
    eve.log_in(EVE, second)
    script.call("PATCH", path, {"password": third})
    assert eve.statuses("GET", "/auth/me") == {401}
    eve.log_in(EVE, third)
    script.call("PATCH", path, {"disabled": True})
    assert eve.statuses("GET", "/auth/me") == {401}
    user = script.call("POST", "/users", {"email": "bob@example.com", "password": first})["user"]
    bob = Script(harness).log_in("bob@example.com", first)
    assert bob.statuses("GET", "/auth/me") == {200}
    script.call("DELETE", f"/users/{user['id']}")
    assert bob.statuses("GET", "/auth/me") == {401}


def check_audit_trail(harness: Harness, script: Script) -> None:
    """Reads the trail, to which the command line also writes."""
    harness.command("instances", "update", "demo-bot", "--name", "By hand")
    assert script.call("GET", "/instances/demo-bot")["instance"]["name"] == "By hand"
    listed = script.call("GET", "/audit?limit=200")
    entries = listed["entries"][::-1]
    assert len(entries) == listed["total"]
    assert [entry["action"] for entry in entries if entry["instance"] == "support"] == [
        *("instance.create", "prompts.update", "instance.update", "secret.set"),
        *("key.issue", "key.issue", "key.set", "instance.import", "mcp_servers.set"),
    ]
    assert [(entry["actor"], entry["action"], *entry["details"]) for entry in entries if entry["user"] == EVE] == [
        (ADMIN, "user.create", "superadmin"),
        *[(EVE, "session.login")] * 2,
        (EVE, "user.update", "password"),
        (ADMIN, "user.update", "role"),
        (ADMIN, "session.logout", "everywhere"),
        (EVE, "session.login"),
        (ADMIN, "user.update", "password"),
        (EVE, "session.login"),
        (ADMIN, "user.update", "disabled"),
    ]
    assert {(entry["actor"], entry["action"]) for entry in entries[:2]} == {
        ("server", "instance.create"),
        ("server", "user.create"),
    }
    assert (entries[-1]["actor"], entries[-1]["action"]) == ("cli", "instance.update")


def check_no_secret_leaked(harness: Harness, script: Script) -> None:
    """Searches for each secret in the database, the log, the responses and the outputs of commands."""
    harness.command("secrets", "set", "demo-bot", "crm_token", given=TOKEN_VALUE)
    for path in ("", "/secrets", "/mcp-servers", "/tools", "/prompts", "/turns", "/export"):
        script.call("GET", f"/instances/support{path}")
    dump = harness.dump()
    assert "support" in dump
    assert "mcp_servers.set" in dump
    places = (dump, harness.server.stdout.text, harness.server.stderr.text, *harness.answers)
    for secret in harness.secrets:
        assert not any(secret in place for place in places)


def responses_to(harness: Harness, key: str, model: str = "support") -> set[str]:
    """Returns the workers' responses to the holder of a key, or their error messages.

    Each call of it comes from a network of its own, because the failed credentials of one network are limited.
    """
    client = openai.OpenAI(
        base_url=harness.server.base_url,
        api_key=key,
        max_retries=0,
        default_headers={"Connection": "close", "X-Forwarded-For": new_address()},
    )
    return {_say_hello(client, model) for _ in range(6)}


def _say_hello(client: openai.OpenAI, model: str) -> str:
    try:
        answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello!"}])
    except openai.AuthenticationError as error:
        message: str = error.response.json()["message"]
        return message
    text = answer.choices[0].message.content or ""
    return "You said: Hello!" if "You said: Hello!" in text else text


@pytest.mark.parametrize("harness", ["executed"], indirect=True)  # workers must import prometheus_client themselves
def test_scraper_sees_the_metrics_of_all_workers(harness: Harness) -> None:
    server, client = harness.server, harness.client
    refused = client.get(f"{server.url}/metrics", headers={"Authorization": "Bearer wrong"})
    assert (refused.status_code, refused.json()["message"]) == (401, "Invalid metrics token")
    for _ in range(10):
        client.get(f"{server.url}/health")

    def healths() -> str:
        text = client.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}).text
        lines = [line for line in text.splitlines() if 'route="/health"' in line and "requests_total" in line]
        return lines[0].split()[-1]

    eventually(healths, "10.0")
