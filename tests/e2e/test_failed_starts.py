"""A failed start reports its reason, exits with 3 and changes nothing."""

import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

from support.process import run_polyant

KEY = "0123456789abcdef" * 4
OTHER_KEY = "f" * 64
SECRET = "a secret of more than thirty-two characters"
NOWHERE = "postgresql://polyant:the-password@127.0.0.1:1/polyant"

POSTGRES = {"DATABASE_URL": NOWHERE, "ENCRYPTION_KEY": KEY, "AUTH_SECRET": SECRET}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated")
    assert run_polyant(folder, "migrate").returncode == 0
    return folder


@pytest.fixture
def folder(migrated: Path, tmp_path: Path) -> Path:
    """A folder in which Polyant has run before."""
    return shutil.copytree(migrated, tmp_path / "folder")


def failed_start(folder: Path, *options: str, **variables: str) -> str:
    """Runs a start that must fail and change nothing, and returns its standard error."""
    before = _contents(folder)
    done = run_polyant(folder, "serve", "--port", "0", *options, **variables)
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert _contents(folder) == before
    return done.stderr


@pytest.mark.parametrize(
    "variables, names",
    [
        ({"RATE_LIMIT": "many"}, "RATE_LIMIT must be calls/seconds such as 20/60, or off"),
        ({"RATE_LIMITER": "nobody's"}, "rate_limiter adapter 'nobody's'"),
        ({"OPENAI_API_KEY": "two words"}, "OPENAI_API_KEY must be 8 to 512 visible ASCII characters"),
        ({"API_HOST": "192.0.2.1"}, "Can't listen on 192.0.2.1:0: Cannot assign requested address"),
        ({"API_HOST": "x" * 64}, "the host name is invalid"),
        ({"DATABASE_URL": "sqlite:///no/such/folder/x.db"}, "DATABASE_URL: no/such/folder is not a writable folder"),
        ({"POLYANT_HOME": "/dev/null/home"}, "POLYANT_HOME: can't create /dev/null/home: Not a directory"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_unusable_setting_is_reported(tmp_path: Path, variables: dict[str, str], names: str) -> None:
    assert names in failed_start(tmp_path, **variables)


def test_unreadable_script_is_reported(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text("[{]")
    assert f"{script} can't be used" in failed_start(tmp_path, SCRIPTED_TURNS=str(script))


def test_used_port_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        output = failed_start(tmp_path, "--port", str(port))
    assert f"Can't listen on 127.0.0.1:{port}: Address already in use" in output
    assert "--port (API_PORT)" in output


def test_unreachable_postgresql_is_reported(tmp_path: Path) -> None:
    output = failed_start(tmp_path, **POSTGRES)
    assert "the PostgreSQL database polyant at 127.0.0.1:1" in output
    assert "the-password" not in output


def test_missing_keys_for_postgresql_are_reported(tmp_path: Path) -> None:
    output = failed_start(tmp_path, DATABASE_URL=NOWHERE)
    for variable in ("ENCRYPTION_KEY", "AUTH_SECRET"):
        assert f"polyant: {variable} must be set when DATABASE_URL is a PostgreSQL server" in output
    assert "python3 -c 'import secrets; print(secrets.token_hex(32))'" in output


def test_wrong_encryption_key_is_reported(folder: Path) -> None:
    output = failed_start(folder, ENCRYPTION_KEY=OTHER_KEY)
    assert "The master key is not the key that encrypted the stored secrets" in output
    assert OTHER_KEY not in output


def test_missing_key_file_is_reported(folder: Path) -> None:
    file = folder / ".polyant/keys/encryption.key"
    file.unlink()
    output = failed_start(folder)
    assert f"no readable key in {file.relative_to(folder)}" in output
    assert "restore that file" in output


def test_missing_key_file_of_an_external_database_is_reported(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    output = failed_start(elsewhere, DATABASE_URL=f"sqlite:///{folder}/.polyant/polyant.db")
    assert "restore that file or set ENCRYPTION_KEY" in output


def test_newer_schema_is_reported(folder: Path) -> None:
    with sqlite3.connect(folder / ".polyant/polyant.db") as database:
        database.execute("INSERT INTO migration (name, app_name) VALUES ('9999-01-01T00:00:00:000001', 'polyant')")
    database.close()
    assert "newer version of Polyant" in failed_start(folder)


def test_file_that_is_not_a_database_is_reported(folder: Path) -> None:
    (folder / ".polyant/polyant.db").write_text("These are my notes.\n" * 100)
    assert "Cannot use the SQLite file" in failed_start(folder)


def test_home_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".polyant").write_text("")
    assert f"POLYANT_HOME: can't create {tmp_path}/.polyant: File exists" in failed_start(tmp_path)


def _contents(folder: Path) -> dict[str, bytes | None]:
    """Returns all files in the folder, except for SQLite's temporary ones."""
    found = sorted(path for path in folder.rglob("*") if not path.name.endswith(("-shm", "-wal")))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in found}
