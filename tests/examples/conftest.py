from pathlib import Path

import pytest

from examples.environment import ROOT, Environment
from support.printed_files import write_printed_files


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The built wheel and all examples, installed from their folders."""
    examples = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))
    return Environment(tmp_path_factory.mktemp("examples") / "installed", examples)


@pytest.fixture(scope="session")
def printed_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the example in docs/adapters/rate-limiters.md, with its files at the paths that the page states."""
    folder = tmp_path_factory.mktemp("printed") / "polyant-file-limiter"
    write_printed_files(ROOT / "docs" / "adapters" / "rate-limiters.md", folder)
    return folder
