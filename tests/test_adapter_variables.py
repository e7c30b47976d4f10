"""Misspelt settings of adapters are found, and nothing else is taken for one."""

import sys
from pathlib import Path

import pytest

from polyant import plugins
from polyant.adapter_groups import GROUPS
from polyant.adapter_settings import settings_struct_of
from polyant.adapter_variables import UnknownVariable, unknown_variables
from polyant.settings import read_settings
from support.packages import install

SOURCE = """
import msgspec

class WeekendSettings(msgspec.Struct):
    max_keys: int = 1
    port: int = 2

class Limiter:
    settings = WeekendSettings

class ReadsEnvironment:
    pass
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offers = [("rate_limiter", "weekend", "Limiter"), ("tool", "old-style", "ReadsEnvironment")]
    install(tmp_path, "acme-adapters", SOURCE, [*offers, ("tool", "broken", "Missing")])
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_adapters", raising=False)


def unknown(**variables: str) -> list[UnknownVariable]:
    """Returns what is found among variables without their prefix, if all adapters are imported."""
    environ = {f"POLYANT_{name}": value for name, value in variables.items()}
    return list(unknown_variables(environ, read_settings({"RATE_LIMITER": "weekend"}), import_all=True))


def unknown_at_start(limiter: str) -> list[UnknownVariable]:
    environ = {"POLYANT_WEEKEND_MAX_KEY": "5"}
    return list(unknown_variables(environ, read_settings({"RATE_LIMITER": limiter}), import_all=False))


def test_misspelt_setting_is_found_with_the_nearest_name() -> None:
    (found,) = unknown(WEEKEND_MAX_KEY="5", WEEKEND_PORT="1")
    assert found == UnknownVariable("POLYANT_WEEKEND_MAX_KEY", "POLYANT_WEEKEND_MAX_KEYS")
    assert found.fix == "Did you mean POLYANT_WEEKEND_MAX_KEYS?"


def test_misspelt_name_of_an_adapter_is_found() -> None:
    assert unknown(WEKEND_MAX_KEYS="5") == [UnknownVariable("POLYANT_WEKEND_MAX_KEYS", "POLYANT_WEEKEND_MAX_KEYS")]


def test_misspelt_setting_of_polyant_is_found() -> None:
    assert unknown(TOOL="price") == [UnknownVariable("POLYANT_TOOL", "POLYANT_TOOLS")]


def test_variable_without_a_similar_name_is_found() -> None:
    (found,) = unknown(SOMETHING_ELSE="5")
    assert found.nearest is None
    assert "polyant adapters" in found.fix


def test_known_empty_and_foreign_variables_are_no_mistakes() -> None:
    assert unknown(HOME="/data", TOOLS="", WEEKEND_MAX_KEYS="5", WEKEND_MAX_KEYS=" ") == []
    assert unknown_variables({"PATH": "/bin", "OTHER": "x"}, read_settings({}), import_all=True) == ()


def test_variables_that_kubernetes_sets_for_services_are_no_mistakes() -> None:
    given = {"SERVICE_HOST": "10.0.0.1", "SERVICE_PORT": "80", "SERVICE_PORT_HTTP": "80", "PORT": "tcp://10.0.0.1:80"}
    for name, value in {"": "tcp://10.0.0.1:80", "_PROTO": "tcp", "_PORT": "80", "_ADDR": "10.0.0.1"}.items():
        given[f"PORT_80_TCP{name}"] = value
    assert unknown(**given, **{f"WEB_{name}": value for name, value in given.items()}) == []
    assert unknown(WEEKEN_PORT="7") == [UnknownVariable("POLYANT_WEEKEN_PORT", "POLYANT_WEEKEND_PORT")]


def test_adapters_that_declare_no_settings_may_read_any_variable() -> None:
    assert unknown(OLD_STYLE_URL="x", BROKEN_URL="x") == []


def test_start_imports_only_chosen_adapters() -> None:
    assert unknown_at_start("memory") == []
    assert "acme_adapters" not in sys.modules
    assert len(unknown_at_start("weekend")) == 1


def test_built_in_adapters_have_no_settings_of_this_kind() -> None:
    """So that they need not be imported."""
    groups = {group.name: group for group in GROUPS}
    own = [each for each in plugins.installed_adapters(groups) if each.package == "polyant"]
    assert [each for each in own if settings_struct_of(plugins.load(groups[each.group], each.name))] == []
