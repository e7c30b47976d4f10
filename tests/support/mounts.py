"""Small and read-only file systems that only one process sees."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

_MOUNT = 'mount -t tmpfs -o "size=$1,mode=0700" tmpfs "$2" || exit 99; shift 2; cd "$PWD"; exec "$@"'
_READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99; shift; cd "$PWD"; exec "$@"'


def require_mounts() -> None:
    """Skips the test if this user can't mount; fails it in CI, where the test has to run."""
    possible = (
        shutil.which("unshare")
        and not subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode
    )
    if not possible:
        reason = "mounting needs root and the program unshare"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)


def with_small_disk(command: Sequence[str], folder: Path, *, size: str) -> list[str]:
    """Returns a command that runs with an empty file system of that size in the folder.

    Args:
        command: The command to run.
        folder: The folder to mount at; the file system ends with the process.
        size: The size, such as `4m`.
    """
    return ["unshare", "--mount", "sh", "-c", _MOUNT, "sh", size, str(folder), *command]


def with_read_only_folder(command: Sequence[str], folder: Path) -> list[str]:
    """Returns a command that runs while the folder is on a read-only file system."""
    return ["unshare", "--mount", "sh", "-c", _READ_ONLY, "sh", str(folder), *command]


def seen_by(pid: int, path: Path) -> Path:
    """Returns the path at which this process reaches a path of another process's file systems."""
    return Path(f"/proc/{pid}/root") / path.absolute().relative_to("/")
