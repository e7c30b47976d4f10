from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from support.commands import Done, Polyant
from support.process import Server, eventually


def status(server: Server, model: str, key: str | None) -> tuple[int, str | None]:
    """Returns the status and the error of a call with the key."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}]}
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = httpx.post(f"{server.base_url}/chat/completions", json=body, headers=headers)
    return answer.status_code, answer.json().get("message")


def test_standard_output_contains_only_the_key(polyant: Polyant, home: Path) -> None:
    issued = polyant.succeed("keys", "issue", "demo-bot")
    assert issued.stdout.startswith("sk-")
    assert len(issued.stdout.split()) == 1
    assert issued.stderr == "This key is not shown again.\n"
    assert polyant.succeed("keys", "issue", "demo-bot", "--json").json.keys() == {"key"}
    shown = polyant.succeed("instances", "show", "demo-bot", "--json").json
    assert (shown["authEnabled"], shown["hasAuthKey"]) == (True, True)


def test_auth_stays_unchanged_if_requested(polyant: Polyant, home: Path) -> None:
    polyant.succeed("keys", "issue", "demo-bot", "--keep-open")
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["authEnabled"] is False
    assert polyant.succeed("keys", "revoke", "demo-bot").stdout == (
        "Revoked the key of demo-bot; auth is off: no key is required.\n"
    )


def test_unknown_instance_and_missing_key_are_not_found(polyant: Polyant, home: Path) -> None:
    assert polyant("keys", "issue", "nobody") == Done(
        4, "", 'polyant: Unknown instance "nobody". Run `polyant instances list` to see the existing ones\n'
    )
    assert polyant("keys", "revoke", "demo-bot").code == 4


def test_running_server_requires_the_key_and_rejects_it_after_revocation(polyant: Polyant, server: Server) -> None:
    polyant.succeed("instances", "create", "guarded")
    eventually(lambda: status(server, "guarded", None)[0], 200)
    key = polyant.succeed("keys", "issue", "guarded").stdout.strip()
    eventually(lambda: status(server, "guarded", None), (401, "Missing Bearer token"))
    assert status(server, "guarded", "sk-wrong-key") == (401, "Invalid API key")
    assert status(server, "guarded", key)[0] == 200
    second = polyant.succeed("keys", "issue", "guarded").stdout.strip()
    eventually(lambda: status(server, "guarded", key), (401, "Invalid API key"))
    assert status(server, "guarded", second)[0] == 200
    output = polyant.succeed("keys", "revoke", "guarded").stdout
    assert output == "Revoked the key of guarded; auth is on: all calls are refused.\n"
    eventually(lambda: status(server, "guarded", second), (401, "Auth enabled but no API key configured"))


def test_replaced_key_works_during_the_overlap_period(polyant: Polyant, server: Server) -> None:
    polyant.succeed("instances", "create", "rotated")
    first = polyant.succeed("keys", "issue", "rotated").stdout.strip()
    second = polyant.succeed("keys", "issue", "rotated", "--grace-seconds", "3600").stdout.strip()
    eventually(lambda: status(server, "rotated", second)[0], 200)
    assert status(server, "rotated", first)[0] == 200
    stops = polyant.succeed("secrets", "list", "rotated", "--json").json["secrets"]
    lasting, ending = [datetime.fromisoformat(each["expiresAt"]) if each["expiresAt"] else None for each in stops]
    assert lasting is None
    assert ending is not None
    assert timedelta(minutes=59) < ending - datetime.now(UTC) <= timedelta(hours=1)
    _, current, previous = polyant.succeed("secrets", "list", "rotated").stdout.splitlines()
    assert (current.split()[0], current.split()[-1]) == ("auth_api_key", "-")
    assert previous.startswith("auth_api_key_previous ")
    assert previous.endswith(str(ending))
    third = polyant.succeed("keys", "issue", "rotated").stdout.strip()
    eventually(lambda: status(server, "rotated", second), (401, "Invalid API key"))
    assert status(server, "rotated", third)[0] == 200


@pytest.mark.parametrize(
    "seconds, message", [("-1", "0 to 2592000"), ("2592001", "0 to 2592000"), ("soon", "invalid int")]
)
def test_invalid_overlap_period_changes_nothing(polyant: Polyant, home: Path, seconds: str, message: str) -> None:
    done = polyant("keys", "issue", "demo-bot", "--grace-seconds", seconds)
    assert (done.code, done.stdout) == (2, "")
    assert message in done.stderr
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["hasAuthKey"] is False


def test_key_chosen_by_the_operator_works(polyant: Polyant, server: Server) -> None:
    polyant.succeed("instances", "create", "chosen")
    polyant.succeed("secrets", "set", "chosen", "auth_api_key", given="sk-of-my-own-choice")
    polyant.succeed("instances", "update", "chosen", "--auth")
    eventually(lambda: status(server, "chosen", None)[0], 401)
    assert status(server, "chosen", "sk-of-my-own-choice")[0] == 200
