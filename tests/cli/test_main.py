import os
import subprocess
from pathlib import Path

import pytest

from polyant import __version__
from polyant.settings import variables
from support.commands import Polyant
from support.process import POLYANT, environment

COMMANDS = [
    ("instances", "list"),
    ("instances", "create", "new"),
    ("instances", "show", "demo-bot"),
    ("instances", "update", "demo-bot"),
    ("instances", "delete", "demo-bot", "--yes"),
    ("secrets", "list", "demo-bot"),
    ("secrets", "set", "demo-bot", "openai_api_key"),
    ("keys", "issue", "demo-bot"),
    ("keys", "revoke", "demo-bot"),
]


def test_help_lists_every_setting_and_every_exit_code(polyant: Polyant) -> None:
    output = polyant.succeed("--help").stdout
    for name in (*(variable.name for variable in variables().values()), "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        assert f"\n  {name} " in output
    for code in range(6):
        assert f"\n  {code}  " in output
    assert max(map(len, output.splitlines())) <= 100


@pytest.mark.parametrize(
    "command", ["serve", "migrate", "instances", "secrets", "keys", "adapters", "doctor", "instances create"]
)
def test_each_command_has_help(polyant: Polyant, command: str) -> None:
    assert f"polyant {command}" in polyant.succeed(*command.split(), "--help").stdout


def test_version(polyant: Polyant) -> None:
    assert polyant.succeed("--version").stdout == f"polyant {__version__}\n"


def test_usage_is_shown_without_a_command(polyant: Polyant) -> None:
    done = polyant()
    assert done.code == 2
    assert "usage: polyant" in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_missing_home_is_reported_and_not_created(polyant: Polyant, tmp_path: Path, command: tuple[str, ...]) -> None:
    done = polyant(*command)
    assert done.code == 3
    assert f"There is no data in {tmp_path}/.polyant/polyant.db" in done.stderr
    assert "set POLYANT_HOME or DATABASE_URL to existing data" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_all_invalid_settings_are_reported(polyant: Polyant) -> None:
    done = polyant("instances", "list", API_PORT="no", AUTH_SECRET="short")
    assert done.code == 3
    assert done.stderr.splitlines() == [
        'polyant: API_PORT must be a whole number from 0 to 65535, not "no"',
        "polyant: AUTH_SECRET must be at least 32 characters",
    ]


def test_unreachable_database_has_the_exit_code_of_unusable_settings(polyant: Polyant) -> None:
    keys = {"ENCRYPTION_KEY": "0f" * 32, "AUTH_SECRET": "x" * 32}
    done = polyant("instances", "list", DATABASE_URL="postgresql://me:the-password@127.0.0.1:1/db", **keys)
    assert done.code == 3
    assert "the-password" not in done.stderr


def test_wrong_key_is_rejected_before_any_change(polyant: Polyant, home: Path) -> None:
    done = polyant("instances", "create", "new", ENCRYPTION_KEY="0f" * 32)
    assert done.code == 3
    assert "The master key is not the key" in done.stderr
    assert polyant("instances", "show", "new").code == 4


def test_closed_output_pipe_causes_no_traceback(home: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        done = subprocess.run(
            [*POLYANT, "instances", "list"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
            cwd=home.parent,
            env=environment(home.parent),
        )
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "option, value, message",
    [
        *(
            ("--workers", value, f'must be a whole number from 1 to 1000, not "{value}"')
            for value in ("0", "-1", "x", "1.5", "1001", "9" * 50)
        ),
        *(("--port", value, f'must be a whole number from 0 to 65535, not "{value}"') for value in ("-1", "70000")),
        ("--log-format", "xml", 'must be text or json, not "xml"'),
        ("--rate-limit", "0/0", 'must be calls/seconds such as 20/60, or off, not "0/0"'),
        ("--database-url", "the-password", "must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME\n"),
    ],
)
def test_invalid_option_of_serve_is_a_usage_error(polyant: Polyant, option: str, value: str, message: str) -> None:
    done = polyant("serve", option, value)
    assert (done.code, done.stdout) == (2, "")
    assert f"argument {option}: {message}" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("instances", "list", "--search", "a\udcff"),
        ("channels", "approve", "demo-bot", "telegram", "\udcff"),
        ("conversations", "list", "demo-bot", "--channel", "\udcff"),
        ("mcp", "set", "demo-bot", "crm", "https://crm.example", "--header", "x=\udcff"),
    ],
)
def test_argument_that_is_not_utf8_is_a_usage_error(
    polyant: Polyant, home: Path, *, arguments: tuple[str, ...]
) -> None:
    done = polyant(*arguments)
    assert (done.code, done.stdout) == (2, "")
    assert "must be text in UTF-8" in done.stderr


@pytest.mark.parametrize("number", ["0", "-1", "x", "9" * 5_000])
def test_limit_of_a_list_is_a_whole_number(polyant: Polyant, home: Path, *, number: str) -> None:
    done = polyant("conversations", "list", "demo-bot", f"--limit={number}")
    assert (done.code, done.stdout) == (2, "")
    assert "must be a whole number from 1 to 1000000" in done.stderr
