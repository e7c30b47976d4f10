from pathlib import Path

import pytest

import polyant as package
from support.commands import Polyant
from support.packages import install


def test_adapters_are_listed_with_package_and_selection(polyant: Polyant, tmp_path: Path) -> None:
    listed = polyant.succeed("adapters", "--json").json["adapters"]
    chosen = {(row["group"], row["name"]): row["chosen"] for row in listed}
    assert chosen["instance_repo", "piccolo"] is True
    assert chosen["instance_repo", "memory"] is False
    assert chosen["chat_model", "scripted"] is True
    assert {row["package"] for row in listed} >= {"polyant"}
    assert {row["version"] for row in listed if row["package"] == "polyant"} == {package.__version__}
    assert list(tmp_path.iterdir()) == []


def test_selection_follows_the_settings(polyant: Polyant) -> None:
    rows = polyant.succeed("adapters", INSTANCE_REPO="memory", CHAT_MODELS="openai").stdout.splitlines()
    assert rows[0].split() == ["GROUP", "NAME", "PACKAGE", "VERSION", "CHOSEN"]
    chosen = {tuple(row.split()[:2]) for row in rows if row.endswith(" yes")}
    assert ("instance_repo", "memory") in chosen
    assert ("instance_repo", "piccolo") not in chosen
    assert ("chat_model", "openai") in chosen
    assert ("chat_model", "scripted") not in chosen


def test_invalid_setting_is_rejected(polyant: Polyant) -> None:
    assert polyant("adapters", API_PORT="no").code == 3


CONFIGURED = """
from typing import Annotated
import msgspec

class Limits(msgspec.Struct):
    url: Annotated[str, msgspec.Meta(description="Address")]
    size: int = 1

class Configured:
    settings = Limits
"""


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with a rate limiter that has settings, and one that can't be imported."""
    folder = tmp_path / "packages"
    folder.mkdir()
    install(folder, "acme-listed", CONFIGURED, [("rate_limiter", "acme", "Configured")])
    install(folder, "acme-unusable", "raise RuntimeError", [("rate_limiter", "broken", "Broken")])
    monkeypatch.syspath_prepend(folder)


@pytest.mark.usefixtures("configured")
def test_reason_why_an_adapter_is_faulty_is_listed(polyant: Polyant) -> None:
    rows = polyant.succeed("adapters", POLYANT_ACME_URL="http://limits").stdout.splitlines()
    (reason,) = [
        row for row in rows if row.split()[:2] == ["rate_limiter", "broken"] and "acme-unusable" not in row[:60]
    ]
    assert "RuntimeError" in reason


@pytest.mark.usefixtures("configured")
def test_settings_of_adapters_are_listed_without_their_values(polyant: Polyant) -> None:
    done = polyant.succeed("adapters", POLYANT_ACME_URL="http://user:hunter2@limits")
    rows = [line.split("  ") for line in done.stdout.splitlines() if "POLYANT_ACME" in line]
    assert [list(filter(None, map(str.strip, row))) for row in rows] == [
        ["acme", "POLYANT_ACME_URL", "yes", "a text", "required"],
        ["acme", "POLYANT_ACME_SIZE", "a whole number", "1"],
    ]
    assert "hunter2" not in done.stdout


@pytest.mark.usefixtures("configured")
def test_json_has_settings_options_and_faults(polyant: Polyant) -> None:
    rows = {(row["group"], row["name"]): row for row in polyant.succeed("adapters", "--json").json["adapters"]}
    assert rows["rate_limiter", "acme"]["settings"][0] == {
        "variable": "POLYANT_ACME_URL",
        "description": "Address",
        "allowed": "a text",
        "default": None,
    }
    assert rows["rate_limiter", "broken"]["fault"].endswith("can't be imported: RuntimeError")
    assert rows["chat_model", "openai"]["options"]["properties"].keys() >= {"body", "query"}
    assert rows["tool", "calculate"]["options"] is None
