"""The environments of clients: each is created when it is first needed, and again when its pins change."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clients.registry import HERE, WRITES_PAGE, Client

ENVIRONMENTS = HERE.parent.parent / ".clients"
NODE = HERE / "node"
_SECONDS = 900


class UnavailableError(Exception):
    """A client can't be tested on this machine; the message names the missing part."""


def command_for(client: Client) -> list[str]:
    """Returns the command that runs a client's driver, after installing its dependencies.

    Raises:
        UnavailableError: A dependency is missing and can't be installed.
    """
    if client.program is not None:
        program(client.program)
    if client.is_node:
        node = program("node")
        with _locked("node"):
            _install_node_modules()
        return [node, str(client.driver)]
    if client.environment is None:
        return [sys.executable, str(client.driver)]
    return [python_with(HERE / "environments" / f"{client.environment}.txt"), str(client.driver)]


def program(name: str) -> str:
    """Returns the path of a program that is installed on this machine."""
    found = shutil.which(name)
    if found is None:
        raise UnavailableError(f"{name} is not installed on this machine")
    return found


def python_with(pins: Path) -> str:
    """Returns the Python of the environment with these packages, after installing them if they changed.

    Raises:
        UnavailableError: The packages can't be installed.
    """
    with _locked(pins.stem):
        return _python_with(pins, ENVIRONMENTS / pins.stem)


def _python_with(pins: Path, folder: Path) -> str:
    python = str(folder / "bin" / "python")
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text() != pins.read_text():
        _require_permission_to_install()
        uv = os.environ.get("UV") or program("uv")
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        # The pins are complete, and may lack packages on purpose.
        _run(uv, "pip", "install", "--quiet", "--no-deps", "--python", python, "--requirement", str(pins))
        shutil.copyfile(pins, installed)
    return python


def _install_node_modules() -> None:
    installed = NODE / "node_modules" / ".package-lock.json"
    if not installed.exists() or _versions(installed) != _versions(NODE / "package-lock.json"):
        _require_permission_to_install()
        _run(program("npm"), "ci", "--prefix", str(NODE))


def _require_permission_to_install() -> None:
    """Keeps a plain `uv run pytest` from downloading a gigabyte of third-party programs."""
    if not os.environ.get("CI") and not os.environ.get(WRITES_PAGE):
        raise UnavailableError("the client's environment is not installed: `just clients` installs it")


def _versions(lock: Path) -> dict[str, Any]:
    packages = json.loads(lock.read_text())["packages"]
    return {name: package["version"] for name, package in packages.items() if name and not package.get("optional")}


def _run(*command: str) -> None:
    """Runs a command outside the project, whose pins don't apply to these environments."""
    try:
        subprocess.run(
            command,
            cwd=HERE.anchor,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"{Path(command[0]).name} {command[1]} failed: {error.stderr.strip()[-300:]}") from None


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Keeps other processes from installing the same environment at the same time."""
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
