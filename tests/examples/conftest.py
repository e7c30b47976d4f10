import pytest

from examples.environment import ROOT, Environment


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The built wheel and all examples, installed from their folders."""
    examples = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))
    return Environment(tmp_path_factory.mktemp("examples") / "installed", examples)
