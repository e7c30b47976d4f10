"""The examples on the pages of docs/adapters/ are typed strictly, and pass their tests, as printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.environment import ROOT
from support.patience import PATIENCE
from support.printed_files import write_printed_files
from support.process import environment

FOLDER = ROOT / "docs" / "adapters"
PAGES = sorted(page for page in FOLDER.glob("*.md") if re.search(r"(?m)^`tests/test_\w+\.py`$", page.read_text()))
WITHOUT_AN_EXAMPLE = {"conversations.md"}
"""Pages of ports too large for one; they name the code to read instead."""
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:faker", "-o", "asyncio_mode=auto")


def run(folder: Path, *command: str) -> str:
    """Returns the output of a Python module that runs in a folder with a package in `src`."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment(folder, PYTHONPATH=str(folder / "src"), MYPYPATH=str(folder / "src")),
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_every_page_of_a_port_has_an_example() -> None:
    index = (FOLDER / "README.md").read_text()
    pages = set(re.findall(r"\]\(([\w-]+\.md)(?:#\w+)?\) \|$", index, re.MULTILINE))
    tested_elsewhere = {"ciphers.md"}  # test_ciphers_page
    assert pages - {page.name for page in PAGES} == tested_elsewhere | WITHOUT_AN_EXAMPLE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_example_passes_its_tests(page: Path, tmp_path: Path) -> None:
    tests = [name for name in write_printed_files(page, tmp_path) if name.startswith("tests/test_")]
    passed = re.search(r"(\d+) passed", run(tmp_path, "pytest", "-q", *OPTIONS, *tests))
    assert passed
    assert int(passed[1]) > 0


def test_examples_are_strictly_typed(tmp_path: Path) -> None:
    """All pages together, because each run of mypy reads Polyant again."""
    for page in PAGES:
        write_printed_files(page, tmp_path)
    run(
        tmp_path, "mypy", "--strict", "--explicit-package-bases", "--cache-dir", str(tmp_path / "cache"), "src", "tests"
    )
