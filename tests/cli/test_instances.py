from pathlib import Path

import httpx
import pytest

from support.commands import Done, Polyant
from support.packages import install
from support.process import Server, eventually

FIELDS = [
    *("id", "slug", "name", "description", "status", "provider", "model", "baseUrl", "temperature"),
    *("authEnabled", "hasAuthKey", "createdAt", "updatedAt", "tools", "secrets"),
]


def chat(server: Server, model: str) -> tuple[int, str]:
    """Returns the status and the text of a response."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}]}
    answer = httpx.post(f"{server.base_url}/chat/completions", json=body)
    content = answer.json()
    return answer.status_code, content.get("message") or content["choices"][0]["message"]["content"]


def test_instance_is_created_with_all_its_fields(polyant: Polyant, home: Path) -> None:
    given = ("--name", "Support", "--description", "Helps", "--provider", "openai", "--model", "gpt-x")
    more = ("--base-url", "http://localhost:11434/v1/", "--temperature", "0.3", "--json")
    created = polyant.succeed("instances", "create", "support", *given, *more).json
    assert set(FIELDS) <= set(created)
    assert (created["name"], created["description"], created["provider"]) == ("Support", "Helps", "openai")
    assert (created["model"], created["baseUrl"], created["temperature"]) == ("gpt-x", "http://localhost:11434/v1", 0.3)
    assert (created["status"], created["authEnabled"], created["secrets"]) == ("active", False, [])
    assert polyant.succeed("instances", "show", "support", "--json").json == created


def test_instance_without_options_uses_the_demonstration_provider(polyant: Polyant, home: Path) -> None:
    created = polyant.succeed("instances", "create", "plain", "--json").json
    assert (created["name"], created["provider"], created["temperature"]) == ("plain", "scripted", None)


def test_output_for_people_has_one_field_per_line(polyant: Polyant, home: Path) -> None:
    lines = polyant.succeed("instances", "show", "demo-bot").stdout.splitlines()
    shown = dict(line.split(maxsplit=1) for line in lines)
    assert set(FIELDS) <= set(shown)
    assert (shown["slug"], shown["baseUrl"], shown["authEnabled"], shown["secrets"]) == ("demo-bot", "-", "no", "-")


def test_instances_are_listed(polyant: Polyant, home: Path) -> None:
    polyant.succeed("instances", "create", "second", "--description", "the other one")
    polyant.succeed("instances", "disable", "second")
    head, demo, second = polyant.succeed("instances", "list").stdout.splitlines()
    assert head.split() == ["SLUG", "STATUS", "PROVIDER", "MODEL", "AUTH", "NAME"]
    assert demo.split()[:5] == ["demo-bot", "active", "scripted", "demo", "open"]
    assert second.split()[:2] == ["second", "disabled"]
    assert polyant.succeed("instances", "list", "--status", "active", "--json").json["total"] == 1
    found = polyant.succeed("instances", "list", "--search", "OTHER", "--json").json
    assert [instance["slug"] for instance in found["instances"]] == ["second"]


def test_fields_are_changed_and_reset(polyant: Polyant, home: Path) -> None:
    place = ("--base-url", "http://localhost:1/v1")
    changed = polyant.succeed("instances", "update", "demo-bot", *place, "--temperature", "1.5", "--json").json
    assert (changed["baseUrl"], changed["temperature"], changed["name"]) == ("http://localhost:1/v1", 1.5, "Demo Bot")
    back = polyant.succeed("instances", "update", "demo-bot", "--base-url", "", "--temperature", "default", "--json")
    assert (back.json["baseUrl"], back.json["temperature"]) == (None, None)


def test_command_prints_the_address_in_effect_and_corrects_the_base_url(polyant: Polyant, home: Path) -> None:
    place = ("--provider", "openai", "--base-url", "http://localhost:1/v1/chat/completions")
    done = polyant.succeed("instances", "update", "demo-bot", *place, "--json")
    assert (done.json["baseUrl"], done.json["address"]) == ("http://localhost:1/v1",) * 2
    notice = "The base URL was corrected to http://localhost:1/v1: /chat/completions is added to it for each call"
    assert done.stderr == f"polyant: {notice}\n"
    moved = polyant.succeed("instances", "update", "demo-bot", "--provider", "anthropic", "--json")
    assert (moved.json["baseUrl"], moved.json["address"]) == (None, "https://api.anthropic.com/v1")
    assert moved.stderr == ""
    created = polyant.succeed("instances", "create", "new", *place)
    assert "address      http://localhost:1/v1\n" in created.stdout
    assert notice in created.stderr


def test_auth_cannot_be_enabled_without_a_key(polyant: Polyant, home: Path) -> None:
    refused = polyant("instances", "update", "demo-bot", "--auth")
    assert refused == Done(2, "", "polyant: auth can't be enabled without an API key: issue or set one first\n")
    polyant.succeed("keys", "issue", "demo-bot", "--keep-open")
    assert polyant.succeed("instances", "update", "demo-bot", "--auth", "--json").json["authEnabled"] is True
    assert polyant.succeed("instances", "update", "demo-bot", "--no-auth", "--json").json["authEnabled"] is False


def test_conversation_settings_are_changed_and_restored_to_defaults(polyant: Polyant, home: Path) -> None:
    names = ("conversations", "historyTokens", "historyMessages", "transcripts")
    given = ("--conversations", "--history-tokens", "500", "--history-messages", "10", "--transcripts", "users")
    changed = polyant.succeed("instances", "update", "demo-bot", *given, "--json").json
    assert [changed[name] for name in names] == [True, 500, 10, "users"]
    defaults = ("--no-conversations", "--history-tokens", "default", "--history-messages", "default")
    changed = polyant.succeed("instances", "update", "demo-bot", *defaults, "--json").json
    assert [changed[name] for name in names] == [False, 8_000, 100, "users"]


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (("create", "demo-bot"), 5, "Instance 'demo-bot' already exists"),
        (("create", "Not A Slug"), 2, "A slug must be 1 to 128 characters"),
        (("create", "new", "--provider", "nobody"), 2, "Unknown provider 'nobody'; available"),
        (("create", "new", "--temperature", "9"), 2, "temperature must be a number from 0 to 2"),
        (("create", "new", "--temperature", "warm"), 2, "invalid"),
        (("update", "demo-bot", "--base-url", "localhost"), 2, "A base URL must start with http:// or https://"),
        (("update", "demo-bot", "--history-tokens", "7"), 2, "Expected `int` >= 100 - at `historyTokens`"),
        (("update", "demo-bot", "--history-messages", "1001"), 2, "Expected `int` <= 1000 - at `historyMessages`"),
        (("show", "nobody"), 4, 'Unknown instance "nobody". Run `polyant instances list`'),
        (("update", "nobody", "--name", "x"), 4, 'Unknown instance "nobody". Run `polyant instances list`'),
        (("disable", "nobody"), 4, 'Unknown instance "nobody". Run `polyant instances list`'),
        (("delete", "nobody", "--yes"), 4, 'Unknown instance "nobody". Run `polyant instances list`'),
        (("list", "--status", "asleep"), 2, "invalid choice"),
        ((), 2, "ACTION"),
    ],
)
def test_errors_have_a_message_and_an_exit_code(
    polyant: Polyant, home: Path, *, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = polyant("instances", *arguments)
    assert (done.code, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_deletion_requires_confirmation(polyant: Polyant, home: Path) -> None:
    done = polyant("instances", "delete", "demo-bot")
    assert done == Done(1, "", "polyant: no terminal to ask for confirmation: pass --yes to delete\n")
    assert polyant("instances", "show", "demo-bot").code == 0
    assert polyant.succeed("instances", "delete", "demo-bot", "--yes").stdout == "Deleted demo-bot.\n"
    assert polyant("instances", "show", "demo-bot").code == 4


def test_deletion_is_reported_as_json(polyant: Polyant, home: Path) -> None:
    assert polyant.succeed("instances", "delete", "demo-bot", "--yes", "--json").json == {"deleted": True}


def test_running_server_applies_every_change_immediately(polyant: Polyant, server: Server) -> None:
    assert chat(server, "seen") == (401, "Unknown model")
    polyant.succeed("instances", "create", "seen")
    eventually(lambda: chat(server, "seen")[0], 200)
    polyant.succeed("instances", "update", "seen", "--provider", "openai")
    eventually(lambda: chat(server, "seen")[0], 503)  # the server has no key for that provider
    polyant.succeed("instances", "disable", "seen")
    eventually(lambda: chat(server, "seen")[0], 401)
    polyant.succeed("instances", "update", "seen", "--provider", "scripted")
    polyant.succeed("instances", "enable", "seen")
    eventually(lambda: chat(server, "seen")[0], 200)
    polyant.succeed("instances", "delete", "seen", "--yes")
    eventually(lambda: chat(server, "seen")[0], 401)


def test_tools_are_set_shown_in_order_and_removed(polyant: Polyant, home: Path) -> None:
    changed = polyant.succeed("instances", "update", "demo-bot", "--tools", "calculate, current_time", "--json").json
    assert changed["tools"] == [
        {"name": "calculate", "ready": True, "state": "ready"},
        {"name": "current_time", "ready": True, "state": "ready"},
    ]
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["tools"] == changed["tools"]
    assert "tools        calculate, current_time\n" in polyant.succeed("instances", "show", "demo-bot").stdout
    assert polyant.succeed("instances", "update", "demo-bot", "--tools", "", "--json").json["tools"] == []


def test_unknown_tool_is_a_usage_error_that_lists_the_known_ones(polyant: Polyant, home: Path) -> None:
    done = polyant("instances", "update", "demo-bot", "--tools", "calculate,weather")
    assert done.code == 2
    assert "Unknown tool 'weather'; available: current_time, calculate, http_request, spawn_task" in done.stderr
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["tools"] == []


def test_limits_are_set_shown_and_reset(polyant: Polyant, home: Path) -> None:
    options = ("--max-steps", "5", "--max-tool-calls", "0", "--turn-seconds", "60.5", "--tool-seconds", "2")
    changed = polyant.succeed("instances", "update", "demo-bot", *options, "--json").json
    assert changed["limits"] == {"maxSteps": 5, "maxToolCalls": 0, "turnSeconds": 60.5, "toolSeconds": 2.0}
    shown = polyant.succeed("instances", "show", "demo-bot").stdout
    assert "limits       maxSteps 5, maxToolCalls 0, turnSeconds 60.5, toolSeconds 2\n" in shown
    polyant.succeed("instances", "update", "demo-bot", "--max-steps", "default", "--tool-seconds", "default")
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["limits"] == {
        "maxSteps": None,
        "maxToolCalls": 0,
        "turnSeconds": 60.5,
        "toolSeconds": None,
    }


THINKER = """
import msgspec

from polyant.domain.chat import ModelFinished, TextDelta
from polyant.domain.ports.chat_model import ProviderInfo


class Options(msgspec.Struct):
    effort: str = "low"


class ThinkerChatModel:
    info = ProviderInfo(name="thinker", default_model="t", base_url="http://thinker.invalid", secret=None)
    options = Options

    async def generate(self, request):
        yield TextDelta(request.options["effort"])
        yield ModelFinished()

    async def check(self, base_url, *, public_only=False): ...
"""


@pytest.fixture
def thinker(tmp_path: Path, environ: pytest.MonkeyPatch) -> None:
    """Enables a chat model of another package that has options."""
    install(tmp_path, "acme-thinker", THINKER, [("chat_model", "thinker", "ThinkerChatModel")])
    environ.syspath_prepend(tmp_path)
    environ.setenv("CHAT_MODELS", "scripted,thinker")


@pytest.mark.usefixtures("home", "thinker")
def test_options_are_set_shown_and_removed(polyant: Polyant) -> None:
    value = '{"effort":"high"}'
    changed = polyant.succeed("instances", "update", "demo-bot", "--options", "thinker", value, "--json").json
    assert changed["options"] == {"thinker": {"effort": "high"}}
    shown = polyant.succeed("instances", "show", "demo-bot").stdout
    assert f'options      {{"thinker":{value}}}\n' in shown
    polyant.succeed("instances", "update", "demo-bot", "--options", "thinker", "null")
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["options"] == {}


@pytest.mark.usefixtures("home", "thinker")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("thinker", '{"effort":1}', "Expected `str`, got `int` - at `$.options.thinker.effort`"),
        ("nobody", "{}", "Unknown adapter 'nobody'; adapters with options: thinker"),
        ("scripted", "{}", "The adapter 'scripted' has no options"),
        ("tool_loop", "{}", "The adapter 'tool_loop' has no options"),
        ("calculate", "{}", "The adapter 'calculate' has no options"),
        ("thinker", "effort=high", "--options thinker: expected a JSON object or null"),
        ("thinker", "[]", "--options thinker: expected a JSON object or null"),
    ],
)
def test_invalid_options_are_a_usage_error(polyant: Polyant, name: str, value: str, message: str) -> None:
    done = polyant("instances", "update", "demo-bot", "--options", name, value)
    assert (done.code, message in done.stderr) == (2, True)
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["options"] == {}


def test_invalid_limit_is_a_usage_error(polyant: Polyant, home: Path) -> None:
    for option, value in (("--max-steps", "0"), ("--max-steps", "many"), ("--tool-seconds", "nan")):
        assert polyant("instances", "update", "demo-bot", option, value).code == 2


@pytest.mark.parametrize(
    "command",
    [
        ("secrets", "list", "nobody"),
        ("secrets", "set", "nobody", "openai_api_key"),
        ("keys", "revoke", "nobody"),
        ("mcp", "list", "nobody"),
    ],
)
def test_unknown_instance_is_named(polyant: Polyant, home: Path, command: tuple[str, ...]) -> None:
    done = polyant(*command, given="sk-0123456789abcdef")
    assert (done.code, done.stdout) == (4, "")
    assert done.stderr == 'polyant: Unknown instance "nobody". Run `polyant instances list` to see the existing ones\n'


def test_earlier_states_are_listed_and_restored(polyant: Polyant, home: Path) -> None:
    before = polyant.succeed("instances", "show", "demo-bot", "--json").json
    assert polyant.succeed("instances", "history", "demo-bot", "--json").json == {"states": [], "total": 0}
    polyant.succeed("instances", "update", "demo-bot", "--name", "Other", "--max-steps", "3")
    polyant.succeed("instances", "disable", "demo-bot")
    head, *rows = polyant.succeed("instances", "history", "demo-bot").stdout.splitlines()
    assert head.split() == ["STATE", "REPLACED", "(UTC)", "BY", "CHANGED"]
    assert [(row.split()[0], row.split()[3:]) for row in rows] == [("1", ["cli", "name,", "max_steps"])]
    (state,) = polyant.succeed("instances", "history", "demo-bot", "--json").json["states"]
    assert (state["number"], state["replacedBy"], state["changed"]) == (1, "cli", ["name", "max_steps"])
    restored = polyant.succeed("instances", "restore", "demo-bot", "1", "--json").json
    assert (restored["name"], restored["limits"]) == (before["name"], before["limits"])
    assert restored["status"] == "disabled"
    assert len(polyant.succeed("instances", "history", "demo-bot", "--json").json["states"]) == 2


def test_unknown_state_is_not_restored(polyant: Polyant, home: Path) -> None:
    assert "The history has no state 7" in polyant("instances", "restore", "demo-bot", "7").stderr
    assert "must be a whole number from 1" in polyant("instances", "restore", "demo-bot", "first").stderr
    assert 'Unknown instance "nobody"' in polyant("instances", "history", "nobody").stderr


def test_restore_warns_of_a_key_that_was_entered_for_another_address(polyant: Polyant, home: Path) -> None:
    polyant.succeed("instances", "create", "bot", "--provider", "openai")
    polyant.succeed("instances", "update", "bot", "--base-url", "http://localhost:1/v1")
    polyant.succeed("secrets", "set", "bot", "openai_api_key", given="sk-0123456789")
    assert "was entered for an address other than" in polyant.succeed("instances", "restore", "bot", "1").stderr
