import io
from pathlib import Path

import pytest

from polyant.cli.secrets import read_value
from support.commands import Done, Polyant

VALUE = "sk-a-value-nobody-may-see"


def test_value_is_read_from_standard_input_and_never_shown(polyant: Polyant, home: Path) -> None:
    polyant.succeed("instances", "create", "bot", "--provider", "openai")
    stored = polyant.succeed("secrets", "set", "bot", "openai_api_key", given=f"{VALUE}\n")
    assert stored.stdout == "Stored openai_api_key of bot, to be sent only to https://api.openai.com:443.\n"
    listed = polyant.succeed("secrets", "list", "bot")
    shown = polyant.succeed("instances", "show", "bot", "--json")
    assert listed.stdout.splitlines()[1].split()[0] == "openai_api_key"
    assert shown.json["secrets"] == ["openai_api_key"]
    for done in (stored, listed, shown):
        assert VALUE not in done.stdout + done.stderr
    assert not any(VALUE.encode() in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_json_output_contains_name_time_and_origin(polyant: Polyant, home: Path) -> None:
    stored = polyant.succeed("secrets", "set", "demo-bot", "smtp_password", "--json", given="correct horse").json
    assert (stored["key"], stored["configured"], stored["origin"]) == ("smtp_password", True, None)
    assert (list(stored), stored["expiresAt"]) == (["key", "configured", "updatedAt", "origin", "expiresAt"], None)
    assert polyant.succeed("secrets", "list", "demo-bot", "--json").json == {"secrets": [stored]}
    assert polyant.succeed("secrets", "delete", "demo-bot", "smtp_password", "--json").json == {"deleted": True}
    assert polyant.succeed("secrets", "list", "demo-bot", "--json").json == {"secrets": []}


VALUES = (VALUE, f" {VALUE}\t", f"{VALUE}\n", f"{VALUE}\n\n{VALUE}")


@pytest.mark.parametrize(
    ("value", "end"),
    [
        (value, end)
        for value in VALUES
        for end in ("", "\n", "\r\n")
        if end or not value.endswith("\n")  # the value's own newline would be removed
    ],
)
def test_one_trailing_newline_is_removed_from_the_value(monkeypatch: pytest.MonkeyPatch, value: str, end: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(value + end, newline=""))
    assert read_value("") == value


def test_trailing_newline_is_removed_from_a_key(polyant: Polyant, home: Path) -> None:
    # A key with a newline would be invalid.
    polyant.succeed("secrets", "set", "demo-bot", "auth_api_key", given=f"{VALUE}\r\n")


def test_deleted_secret_is_gone(polyant: Polyant, home: Path) -> None:
    polyant.succeed("secrets", "set", "demo-bot", "smtp_password", given="correct horse")
    assert polyant.succeed("secrets", "delete", "demo-bot", "smtp_password").stdout == (
        "Deleted smtp_password of demo-bot.\n"
    )
    again = polyant("secrets", "delete", "demo-bot", "smtp_password")
    assert again == Done(4, "", "polyant: Instance 'demo-bot' has no secret smtp_password\n")


@pytest.mark.parametrize(
    "arguments, given, code",
    [
        (("set", "demo-bot", "Not A Name"), VALUE, 2),
        (("set", "demo-bot", "openai_api_key"), "with a space", 2),
        (("set", "demo-bot", "openai_api_key"), "", 2),
        (("set", "demo-bot", "openai_api_key"), b"\xff\xfe", 2),
        (("set", "nobody", "openai_api_key"), VALUE, 4),
        (("list", "nobody"), "", 4),
        (("delete", "nobody", "openai_api_key"), "", 4),
        (("set", "demo-bot", "openai_api_key", VALUE), "", 2),
    ],
)
def test_errors_have_an_exit_code_and_do_not_show_the_value(
    polyant: Polyant, home: Path, *, arguments: tuple[str, ...], given: str | bytes, code: int
) -> None:
    done = polyant("secrets", *arguments, given=given)
    assert (done.code, done.stdout) == (code, "")
    assert "with a space" not in done.stderr
    assert "Traceback" not in done.stderr
