"""An environment with the built wheel of Polyant, the examples, and the tools that their tests need."""

import os
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_PINS = ROOT / "examples" / "environments" / "examples.txt"
_TOOLS = ("mypy", "polyfactory", "pytest", "pytest-asyncio")


class Environment:
    """A virtual environment in a folder.

    Args:
        folder: The folder, which must not exist.
        packages: The folders of the packages to install next to Polyant.
    """

    def __init__(self, folder: Path, packages: Iterable[Path]) -> None:
        folder.mkdir()
        self._programs = folder / "venv" / "bin"
        self.folder = folder
        self.constraints = constraints = folder / "constraints.txt"
        own = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
        constraints.write_text("\n".join([*own, *_PINS.read_text().splitlines()]))
        _uv("build", "--wheel", "--quiet", "--out-dir", str(folder), str(ROOT))
        (wheel,) = folder.glob("*.whl")
        _uv("venv", "--quiet", str(folder / "venv"))
        python = str(self._programs / "python")
        self._install = ("pip", "install", "--quiet", "--python", python, "--constraint", str(constraints))
        _uv(*self._install, f"{wheel}[mcp,otel]", *_TOOLS, *map(str, packages))

    def install(self, package: Path) -> None:
        """Installs one more package."""
        _uv(*self._install, str(package))

    def run(self, folder: Path, program: str, *arguments: str, **variables: str) -> str:
        """Returns the output of a program of the environment, and asserts that it succeeded."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "VIRTUAL_ENV"))}
        environ |= {"PATH": f"{self._programs}{os.pathsep}{environ['PATH']}", **variables}
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{program} {arguments}:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout


def _uv(*arguments: str) -> None:
    done = subprocess.run(["uv", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
