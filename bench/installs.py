"""Measured programs that are not part of this environment, each installed in `.bench/` when it is first needed."""

import io
import os
import shutil
import sys
import tarfile
from pathlib import Path

from bench.processes import ROOT, output

PINS = ROOT / "bench" / "environments"
_INSTALLED = ROOT / ".bench"
_OUTSIDE_PROJECT = Path(ROOT.anchor)
"""A folder where uv doesn't find this project, whose pins don't apply to these programs."""


def python_programs(name: str) -> Path:
    """Returns the folder of the programs that `bench/environments/NAME.txt` pins."""
    pins, folder = PINS / f"{name}.txt", _INSTALLED / name
    installed = folder / "installed.txt"
    if not _is_copy(installed, pins):
        uv, python = _installer("uv", name), str(folder / "bin" / "python")
        output(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder), cwd=_OUTSIDE_PROJECT)
        output(uv, "pip", "install", "--quiet", "--python", python, "--requirement", str(pins), cwd=_OUTSIDE_PROJECT)
        shutil.copyfile(pins, installed)
    return folder / "bin"


def node_modules(name: str) -> Path:
    """Returns the folder of the packages that `bench/environments/NAME/package-lock.json` pins."""
    pins, folder = PINS / name / "package-lock.json", _INSTALLED / name
    installed = folder / "installed.json"
    if not _is_copy(installed, pins):
        npm = _installer("npm", name)
        shutil.copytree(PINS / name, folder, dirs_exist_ok=True)
        output(npm, "ci", "--silent", "--ignore-scripts", "--prefix", str(folder), cwd=_OUTSIDE_PROJECT)
        shutil.copyfile(pins, installed)
    return folder / "node_modules"


def engine_at(revision: str) -> tuple[str, Path]:
    """Returns the short hash of a commit of this repository, and the path of its `polyant`.

    Raises:
        SystemExit: The revision is unknown, or the commit can't be installed.
    """
    commit = output("git", "rev-parse", "--verify", "--short", f"{revision}^{{commit}}").decode().strip()
    folder = _INSTALLED / "commits" / commit
    environment = folder / ".venv"
    engine = environment / "bin" / "polyant"
    if not engine.exists():
        uv = _installer("uv", f"commit {commit}")
        with tarfile.open(fileobj=io.BytesIO(output("git", "archive", commit))) as files:
            files.extractall(folder, filter="data")
        sync = (uv, "sync", "--quiet", "--no-dev", "--python", sys.executable)
        output(*sync, environ={"UV_PROJECT_ENVIRONMENT": str(environment)}, cwd=folder)
    return commit, engine


def program(name: str) -> str:
    """Returns the path of a program that is installed on this machine.

    Raises:
        SystemExit: The program is missing.
    """
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"  # where Debian puts nginx
    found = shutil.which(name, path=path)
    if found is None:
        raise SystemExit(f"bench: {name} is not installed on this machine")
    return found


def _installer(name: str, what: str) -> str:
    print(f"Installing {what} …", file=sys.stderr)
    return (os.environ.get("UV") if name == "uv" else None) or program(name)


def _is_copy(copy: Path, original: Path) -> bool:
    return copy.exists() and copy.read_bytes() == original.read_bytes()
