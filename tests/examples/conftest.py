import re
from pathlib import Path

import pytest

from examples.environment import ROOT, Environment


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The built wheel and all examples, installed from their folders."""
    examples = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))
    return Environment(tmp_path_factory.mktemp("examples") / "installed", examples)


@pytest.fixture(scope="session")
def printed_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the example in docs/adapters.md, with its files at the paths that the page states."""
    folder = tmp_path_factory.mktemp("printed") / "polyant-file-limiter"
    page = (ROOT / "docs" / "adapters.md").read_text().partition("## An example\n")[2].partition("\n## ")[0]
    for name, content in re.findall(r"(?ms)^`([^`\n]+)`\n\n```\w+\n(.*?)^```$", page):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder
