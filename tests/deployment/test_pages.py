"""The pages for operators, typed on a Debian of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deployment import typist
from support import launching
from support.patience import seconds

ROOT = Path(__file__).parent.parent.parent
_TRIAL = ("mount", "-t", "tmpfs", "none", "/media")


def can_isolate() -> bool:
    """Returns whether this process may make the namespaces that the pages are typed in."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    return subprocess.run([*typist.ISOLATED, *_TRIAL], capture_output=True, check=False).returncode == 0


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A bare repository with the files of this clone, committed or not."""
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    clone = tmp_path / "clone"
    for name in listed:
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    git(clone, "init", "--quiet")
    git(clone, "add", "--all", "--force")
    git(clone, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message=test")
    git(tmp_path, "clone", "--quiet", "--bare", "clone", "polyant.git")
    return tmp_path / "polyant.git"


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.mark.timeout(seconds(660))
@pytest.mark.skipif(not can_isolate() and "CI" not in os.environ, reason="requires Debian, as root")
def test_pages_work_as_typed(repository: Path, tmp_path: Path) -> None:
    log = tmp_path / "typist.log"
    with log.open("w") as output:
        command: list[str | Path] = [sys.executable, typist.__file__, repository]
        process = launching.start(command, cwd=ROOT, env=os.environ, stdout=output, stderr=output)
        code = process.wait(timeout=seconds(600))
    assert code == 0, log.read_text()


def test_blocks_are_typed_without_the_indentation_of_lists() -> None:
    script = typist.typed()
    assert script.count("\nsystemctl enable --now polyant\n") == 1
    assert script.count("\nEND\n") == script.count("<< END\n")
