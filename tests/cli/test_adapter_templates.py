"""Each template becomes a package that is typed strictly and passes the kit of its port as it stands."""

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from polyant.adapter_groups import CONVERSATION_GROUPS, GROUPS
from polyant.cli.adapter_templates import TEMPLATES, name_of
from polyant.cli.new_adapter import write_package
from support.new_packages import give_time
from support.patience import PATIENCE
from support.process import environment

SAME = {group.name for group in CONVERSATION_GROUPS[1:]}
"""The ports whose packages are those of `conversation_repo`."""
OPTIONS = (
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-p",
    "no:schemathesis",
    "--import-mode=importlib",
    "--noconftest",
)
_PAGES = Path(__file__).parent.parent.parent / "docs" / "adapters"


def written(port: str, parent: Path) -> Path:
    """Returns the folder of a package that is named after its port, so that no two have the same modules."""
    folder = write_package(port, f"{port.replace('_', '-')}-two", parent)
    give_time(folder)
    return folder


def test_every_port_has_a_template() -> None:
    assert TEMPLATES.keys() == {group.name for group in GROUPS}


@pytest.mark.parametrize("port", sorted(TEMPLATES.keys() - SAME))
def test_package_passes_its_kit(port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(port, tmp_path)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder / "src"))
    before = set(sys.modules)
    try:
        assert pytest.main([*OPTIONS, "-c", str(folder / "pyproject.toml"), str(folder / "tests")]) == 0
    finally:
        for name in set(sys.modules) - before:
            if name.partition(".")[0].endswith("_two"):
                del sys.modules[name]


@pytest.mark.parametrize("port", sorted(SAME))
def test_ports_of_one_setting_have_one_package(port: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    contents = []
    for parent, each in ((first, "conversation_repo"), (second, port)):
        parent.mkdir()
        folder = write_package(each, "acme", parent)
        contents.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    assert contents[0] == contents[1]


@pytest.mark.parametrize("port", sorted(TEMPLATES))
def test_entry_points_name_adapters_of_their_ports(port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_package(port, f"{port.replace('_', '-')}-three", tmp_path)
    monkeypatch.syspath_prepend(str(folder / "src"))
    groups = {f"polyant.{group.name}": group for group in GROUPS}
    found = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
    assert f"polyant.{port}" in found
    for group, points in found.items():
        ((name, target),) = points.items()
        assert name == name_of(port, f"{port.replace('_', '-')}-three")
        assert groups[group].port in EntryPoint(name, target, group).load().__mro__


@pytest.mark.parametrize("port", sorted(TEMPLATES))
def test_readme_names_the_setting_and_the_page(port: str, tmp_path: Path) -> None:
    readme = (write_package(port, "acme", tmp_path) / "README.md").read_text()
    setting = {
        "channel": "CHANNELS",
        "chat_model": "CHAT_MODELS",
        "tool": "POLYANT_TOOLS",
        "turn_observer": "TURN_OBSERVERS",
    }
    chosen = setting.get(port) or next(group.setting for group in GROUPS if group.name == port).upper()
    assert f"{chosen}=" in readme
    assert "TITLE" not in readme
    page = TEMPLATES[port].page
    assert (_PAGES / page).is_file()
    assert port == "rate_limiter" or f"docs/adapters/{page}" in readme


def test_packages_are_strictly_typed(tmp_path: Path) -> None:
    """All packages together, because each run of mypy reads Polyant again."""
    folders = [written(port, tmp_path) for port in TEMPLATES.keys() - SAME]
    sources = [str(folder / "src") for folder in folders]
    tests = [str(path) for folder in folders for path in (folder / "tests").glob("test_*.py")]
    command = [sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases", "--cache-dir", "cache"]
    done = subprocess.run(
        [*command, *sources, *tests],
        cwd=tmp_path,
        env=environment(tmp_path, MYPYPATH=":".join([*sources, *(str(folder / "tests") for folder in folders)])),
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
