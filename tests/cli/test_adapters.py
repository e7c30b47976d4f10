from pathlib import Path

import polyant as package
from support.commands import Polyant


def test_each_adapter_is_listed_with_its_package_and_whether_it_is_chosen(polyant: Polyant, tmp_path: Path) -> None:
    listed = polyant.succeed("adapters", "--json").json["adapters"]
    chosen = {(row["group"], row["name"]): row["chosen"] for row in listed}
    assert chosen["instance_repo", "piccolo"] is True
    assert chosen["instance_repo", "memory"] is False
    assert chosen["chat_model", "scripted"] is True
    assert {row["package"] for row in listed} >= {"polyant"}
    assert {row["version"] for row in listed if row["package"] == "polyant"} == {package.__version__}
    assert list(tmp_path.iterdir()) == []


def test_choice_follows_the_settings(polyant: Polyant) -> None:
    rows = polyant.succeed("adapters", INSTANCE_REPO="memory", CHAT_MODELS="openai").stdout.splitlines()
    assert rows[0].split() == ["GROUP", "NAME", "PACKAGE", "VERSION", "CHOSEN"]
    chosen = {tuple(row.split()[:2]) for row in rows if row.endswith(" yes")}
    assert ("instance_repo", "memory") in chosen
    assert ("instance_repo", "piccolo") not in chosen
    assert ("chat_model", "openai") in chosen
    assert ("chat_model", "scripted") not in chosen


def test_wrong_setting_is_refused(polyant: Polyant) -> None:
    assert polyant("adapters", API_PORT="no").code == 3
