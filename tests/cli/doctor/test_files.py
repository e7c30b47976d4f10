"""Files and folders that the user may not read or write."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from support import launching
from support.commands import Polyant
from support.doctor import Doctor
from support.mounts import require_mounts, with_read_only_folder
from support.process import POLYANT, run, run_polyant

OTHER_USER = (sys.executable, "-m", "support.other_user")


@pytest.fixture(scope="module")
def foreign() -> Iterator[Path]:
    """A folder that everyone can enter, with data that only its owner can."""
    with launching.temporary_folder("polyant-foreign-") as folder:
        assert run_polyant(folder, "migrate").returncode == 0
        folder.chmod(0o755)
        home = folder / ".polyant"
        if os.geteuid() != 0:  # then there is no other user
            home.chmod(0)
        yield folder
        home.chmod(0o700)


def as_other_user(foreign: Path, *arguments: str) -> tuple[int, str, str]:
    tests = Path(__file__).parents[2]
    paths = f"{tests}:{tests.parent / 'src'}"
    done = run(foreign, [*OTHER_USER, *arguments], PYTHONPATH=paths, API_PORT="0")
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", [("serve",), ("migrate",), ("instances", "list"), ("keys", "issue", "demo-bot")])
def test_unreadable_home_is_one_line(foreign: Path, command: Sequence[str]) -> None:
    code, stdout, stderr = as_other_user(foreign, *command)
    assert (code, stdout) == (3, ""), stderr
    [line] = stderr.splitlines()
    assert line.startswith("polyant: POLYANT_HOME: the user ")
    assert f" may not access {foreign}/.polyant, which belongs to the user " in line
    assert "chown" in line


def test_unreadable_home_is_a_fault(foreign: Path) -> None:
    code, stdout, stderr = as_other_user(foreign, "doctor")
    assert (code, stderr) == (1, "")
    [line] = [line for line in stdout.splitlines() if line.startswith("fault")]
    assert line.startswith("fault    files: POLYANT_HOME: the user ")
    assert f"may not access {foreign}/.polyant" in line


@pytest.mark.parametrize("command", ["serve", "migrate", "doctor"])
def test_path_that_the_system_refuses_is_one_line(tmp_path: Path, command: str) -> None:
    """As on a network file system that is away."""
    done = run_polyant(tmp_path, command, POLYANT_HOME="x" * 300, API_PORT="0")
    assert done.returncode == {"doctor": 1}.get(command, 3), done.stderr
    assert "Traceback" not in done.stderr
    [line] = [line for line in (done.stdout + done.stderr).splitlines() if "File name too long" in line]
    assert line.endswith("Check the path and its file system, or set POLYANT_HOME to another folder")


def test_file_in_place_of_the_home_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / ".polyant").touch()
    done = run_polyant(tmp_path, "doctor", API_PORT="0")
    [line] = [line for line in done.stdout.splitlines() if line.startswith("fault")]
    assert line.startswith(f"fault    files: {tmp_path}/.polyant is not a folder. Rename it")


def test_read_only_file_system_is_a_fault(home: Path) -> None:
    require_mounts()
    command = with_read_only_folder([*POLYANT, "doctor"], home)
    done = run(home.parent, command, API_PORT="0")
    code, stdout, stderr = done.returncode, done.stdout, done.stderr
    assert (code, stderr) == (1, "")
    assert f"fault    files: {home} is on a read-only file system. Mount it writable" in stdout


def test_start_on_a_read_only_file_system_is_one_line(home: Path) -> None:
    require_mounts()
    command = with_read_only_folder([*POLYANT, "serve", "--port", "0"], home)
    done = run(home.parent, command)
    code, stdout, stderr = done.returncode, done.stdout, done.stderr
    assert (code, stdout) == (3, ""), stderr
    [line] = stderr.splitlines()
    assert "read-only" in line
    assert "Mount" in line


def test_first_start_on_a_read_only_file_system_is_one_line(tmp_path: Path) -> None:
    require_mounts()
    command = with_read_only_folder([*POLYANT, "serve", "--port", "0"], tmp_path)
    done = run(tmp_path, command)
    code, stdout, stderr = done.returncode, done.stdout, done.stderr
    assert (code, stdout) == (3, ""), stderr
    [line] = stderr.splitlines()
    assert "Read-only file system. Mount" in line


@pytest.mark.parametrize("name", ["polyant.db", "polyant.db-wal", "."])
def test_file_of_another_user_is_a_fault(foreign: Path, name: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to another user")
    home = foreign / ".polyant"
    paths = [home, home / "keys", *home.rglob("*")]
    (home / "polyant.db-wal").touch()
    for path in paths:
        os.chown(path, 65_534, 65_534)
    os.chown(home / name, 0, 0)
    home.chmod(0o755)
    try:
        code, stdout, _ = as_other_user(foreign, "doctor")
    finally:
        home.chmod(0o700)
        for path in paths:
            os.chown(path, 0, 0)
    assert code == 1
    expected = f"fault    files: the user 65534 can't write {(home / name).absolute()}, which belongs to the user 0."
    assert expected in stdout
    assert f"`chown 65534 {home / name}`" in stdout


def test_lost_database_beside_its_key_is_a_fault(findings: Doctor, home: Path) -> None:
    for file in home.glob("polyant.db*"):
        file.unlink()
    [(state, about, message)] = findings()
    assert (state, about) == ("fault", "database")
    assert f"but its encryption key exists in {home.relative_to(home.parent)}/keys/encryption.key" in message
    assert "Restore a backup with `polyant restore FILE`" in message


def test_empty_database_beside_its_key_is_a_fault(findings: Doctor, home: Path, polyant: Polyant) -> None:
    for file in home.glob("polyant.db*"):
        file.unlink()
    (home / "polyant.db").touch(0o600)
    [(state, about, message)] = findings()
    assert (state, about) == ("fault", "database")
    assert message.startswith("The database is empty, but its encryption key exists")
    assert "Restore a backup with `polyant restore FILE`" in message
    refused = polyant("instances", "list")
    assert refused.code == 3
    assert "Restore a backup" in refused.stderr


def test_empty_database_without_key_is_to_be_migrated(findings: Doctor, home: Path) -> None:
    (home / "polyant.db").unlink()
    (home / "polyant.db").touch(0o600)
    key = (home / "keys/encryption.key").read_text().strip()
    (home / "keys/encryption.key").unlink()
    assert findings(ENCRYPTION_KEY=key) == [("fault", "database", "The database is empty. Run `polyant migrate`")]
