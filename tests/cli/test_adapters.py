from pathlib import Path

import polyant as package
from support.commands import Polyant


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
