"""polyant backup and polyant restore."""

import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from polyant.adapters.crypto.backup_cipher import AesGcmBackupCipher
from polyant.cli import backup_files
from polyant.cli.backup_files import new_backup
from support.backups import PASSPHRASE, in_home, stored_in
from support.commands import Done, Polyant
from support.process import POLYANT, SECRETS, environment, run_polyant

MODE = 0o777


@pytest.fixture(scope="session")
def filled_home(fresh_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template of data: instances with secrets and MCP servers, and users; the master key is being rotated."""
    folder = tmp_path_factory.mktemp("saved")
    home = shutil.copytree(fresh_home, folder / ".polyant")
    commands: list[tuple[str, ...]] = [
        ("keys", "issue", "demo-bot"),
        ("keys", "issue", "demo-bot", "--grace-seconds", "3600"),
        ("instances", "create", "vendor", "--provider", "openai", "--temperature", "0.3"),
        ("secrets", "set", "vendor", "openai_api_key"),
        ("mcp", "set", "vendor", "crm", "https://crm.example/mcp", "--tools", "*", "--header", "X-Key=crm_token"),
        ("secrets", "set", "vendor", "crm_token"),
        ("instances", "disable", "vendor"),
        ("users", "create", "eve@example.com"),
        ("users", "disable", "eve@example.com"),
        ("keys", "rotate-master"),
        ("secrets", "set", "demo-bot", "another"),
    ]
    for command in commands:
        done = run_polyant(folder, *command, given="sk-a-secret-value\n")
        assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def data(filled_home: Path, tmp_path: Path) -> Path:
    """A copy of the template, where commands look for it."""
    return shutil.copytree(filled_home, tmp_path / ".polyant")


@pytest.fixture(scope="session")
def saved(filled_home: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A backup of the template."""
    file = tmp_path_factory.mktemp("backups") / "saved"
    done = run_polyant(filled_home.parent, "backup", str(file), given=PASSPHRASE)
    assert done.returncode == 0, done.stderr
    return file.read_bytes()


@pytest.fixture
def file(saved: bytes, tmp_path: Path) -> Path:
    """A copy of the backup."""
    (file := tmp_path / "saved.backup").write_bytes(saved)
    return file


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A home that doesn't exist yet."""
    return tmp_path / "target"


def restore(polyant: Polyant, file: Path, target: Path, *options: str, passphrase: str = PASSPHRASE) -> Done:
    return polyant("restore", str(file), *options, given=passphrase, POLYANT_HOME=str(target))


# Round trips


def test_backup_is_restored_on_another_machine_with_another_master_key(
    polyant: Polyant, data: Path, target: Path, tmp_path: Path
) -> None:
    file = tmp_path / "out"
    done = polyant.succeed("backup", str(file), given=f"{PASSPHRASE}\n")
    assert done == Done(0, f"Backed up 2 instances, 2 users and 15 audit entries to {file}.\n", "")
    assert file.stat().st_mode & MODE == 0o600
    restored = restore(polyant, file, target)
    assert restored == Done(
        0,
        "Restored 2 instances, 2 users and 15 audit entries. "
        "Run `polyant doctor` to check the settings, and start the server.\n",
        "",
    )
    assert (target / "keys" / "encryption.key").read_text() != (data / "keys" / "encryption.key").read_text()
    assert (target / "polyant.db").stat().st_mode & MODE == 0o600
    assert in_home(target) == in_home(data)
    assert len(in_home(target)) == 19


def test_summary_is_printed_as_json(polyant: Polyant, data: Path, file: Path, target: Path) -> None:
    summary = {"instances": 2, "skillFiles": 0, "channels": 0, "conversations": 0, "messages": 0}
    summary |= {"users": 2, "auditEntries": 15, "media": 0}
    written = polyant.succeed("backup", "out", "--json", given=PASSPHRASE).json
    read = restore(polyant, file, target, "--json").json
    assert [*written] == [*read] == ["createdAt", *summary]
    assert written == {"createdAt": written["createdAt"], **summary}
    assert read == {"createdAt": read["createdAt"], **summary}


@pytest.mark.parametrize("direction", ["to PostgreSQL", "from PostgreSQL"])
def test_data_move_between_sqlite_and_postgresql(
    polyant: Polyant, data: Path, file: Path, target: Path, postgres_url: str, direction: str
) -> None:
    on_postgres = {"DATABASE_URL": postgres_url, **SECRETS}
    done = polyant.succeed("restore", str(file), given=PASSPHRASE, **on_postgres)
    assert done.stdout.startswith("Restored 2 instances")
    moved = stored_in(postgres_url, SECRETS["ENCRYPTION_KEY"])
    assert moved[:-1] == in_home(data)
    if direction == "from PostgreSQL":
        polyant.succeed("backup", "again", given=PASSPHRASE, **on_postgres)
        restore(polyant, Path("again"), target)
        assert in_home(target) == in_home(data)


def test_restored_data_work_with_the_other_commands(polyant: Polyant, file: Path, target: Path) -> None:
    restore(polyant, file, target)
    assert polyant("doctor", POLYANT_HOME=str(target)).stdout.count("fault") <= 1  # the provider may be unreachable
    polyant.succeed("secrets", "set", "vendor", "openai_api_key", given="sk-another-key", POLYANT_HOME=str(target))
    polyant.succeed("migrate", POLYANT_HOME=str(target))  # creates neither a first instance nor a first user
    assert polyant.succeed("instances", "list", "--json", POLYANT_HOME=str(target)).json["total"] == 2
    assert polyant.succeed("users", "list", "--json", POLYANT_HOME=str(target)).json["total"] == 2


def test_older_keys_are_used_while_the_master_key_is_rotated(polyant: Polyant, data: Path, target: Path) -> None:
    key = (data / "keys" / "encryption.key").read_text().strip()
    both = {"ENCRYPTION_KEY": "a" * 64, "ENCRYPTION_KEY_PREVIOUS": key}
    polyant.succeed("secrets", "set", "demo-bot", "newer", given="a value", **both)
    polyant.succeed("backup", "out", given=PASSPHRASE, **both)
    restore(polyant, Path("out"), target)
    assert in_home(target) == stored_in(f"sqlite:///{data}/polyant.db", "a" * 64, key)


# Passphrases


@pytest.mark.parametrize("line_end", ["", "\n", "\r\n"])
def test_passphrase_is_read_from_a_file(
    polyant: Polyant, data: Path, file: Path, tmp_path: Path, line_end: str
) -> None:
    (passphrase := tmp_path / "passphrase").write_bytes(f"{PASSPHRASE}{line_end}".encode())
    polyant.succeed("backup", "out", "--passphrase-file", str(passphrase))
    polyant.succeed("restore", "out", "--check", "--passphrase-file", str(passphrase))
    polyant.succeed("restore", "out", "--check", given=PASSPHRASE)


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "can't read passphrase: No such file or directory"),
        (b"\xff" * 20, "passphrase is not valid UTF-8"),
        (b"too short", "A passphrase must have at least 12 characters"),
    ],
)
def test_invalid_passphrase_file_is_refused(polyant: Polyant, data: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        Path("passphrase").write_bytes(content)
    done = polyant("backup", "out", "--passphrase-file", "passphrase")
    assert (done.code, done.stdout) == (2, "")
    assert message in done.stderr
    assert not Path("out").exists()


def test_empty_and_wrong_passphrases_are_refused(polyant: Polyant, file: Path, target: Path) -> None:
    assert restore(polyant, file, target, passphrase="") == Done(2, "", "polyant: The passphrase is empty\n")
    wrong = restore(polyant, file, target, passphrase="another passphrase")
    assert wrong == Done(3, "", "polyant: The passphrase is wrong, or the beginning of the file is damaged\n")
    assert not target.exists()


def test_passphrase_cannot_be_given_on_the_command_line(polyant: Polyant, data: Path, file: Path) -> None:
    for command in ("backup", "restore"):
        done = polyant(command, "out", "--passphrase", PASSPHRASE)
        assert done.code == 2
        assert "unrecognized arguments: --passphrase" in done.stderr
        assert not Path("out").exists()


# The file


def test_existing_file_is_replaced_only_if_requested(polyant: Polyant, data: Path, file: Path) -> None:
    before = file.read_bytes()
    refused = polyant("backup", str(file), given=PASSPHRASE)
    assert (refused.code, refused.stdout) == (5, "")
    assert refused.stderr.startswith(f"polyant: {file} already exists. ")
    assert file.read_bytes() == before
    file.chmod(0o644)
    polyant.succeed("backup", str(file), "--force", given=PASSPHRASE)
    assert file.read_bytes() != before
    assert file.stat().st_mode & MODE == 0o600
    polyant.succeed("restore", str(file), "--check", given=PASSPHRASE)


@pytest.mark.parametrize("name", [".polyant/polyant.db", ".polyant"])
def test_other_files_are_never_replaced(polyant: Polyant, data: Path, name: str) -> None:
    before = in_home(data)
    done = polyant("backup", name, "--force", given=PASSPHRASE)
    assert done == Done(5, "", f"polyant: {name} exists and isn't a backup, so --force doesn't replace it\n")
    assert in_home(data) == before


def test_empty_file_is_replaced_if_requested(polyant: Polyant, data: Path) -> None:
    Path("out").touch()
    assert polyant("backup", "out", given=PASSPHRASE).code == 5
    polyant.succeed("backup", "out", "--force", given=PASSPHRASE)


def test_target_of_a_link_is_replaced_instead_of_the_link(polyant: Polyant, data: Path, file: Path) -> None:
    (link := Path("link")).symlink_to(file)
    before = file.read_bytes()
    polyant.succeed("backup", "link", "--force", given=PASSPHRASE)
    assert link.is_symlink()
    assert file.read_bytes() != before


def test_file_created_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "out"
    with ExitStack() as stack:
        stack.enter_context(new_backup(file, force=False))(b"backup")
        file.write_bytes(b"of another process")
        with pytest.raises(backup_files.BackupExistsError):
            stack.close()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"of another process"]


def test_file_system_without_links_gets_the_file_by_a_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.link", link)
    with new_backup(tmp_path / "out", force=False) as write:
        write(b"backup")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    "name, reason", [("missing/out", "No such file or directory"), ("n" * 300, "File name too long")]
)
def test_file_that_cannot_be_created_is_explained(polyant: Polyant, data: Path, name: str, reason: str) -> None:
    done = polyant("backup", name, given=PASSPHRASE)
    assert done == Done(3, "", f"polyant: Can't write {name}: {reason}\n")


def limited(folder: Path, *arguments: str, size: int) -> subprocess.CompletedProcess[str]:
    """Runs a command that can't write files beyond a size, as on a full disk."""
    return subprocess.run(
        [*POLYANT, *arguments],
        cwd=folder,
        env=environment(folder),
        input=PASSPHRASE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        capture_output=True,
        text=True,
        check=False,
    )


def enlarge(home: Path) -> None:
    """Makes the data larger than a full disk has room for."""
    with closing(sqlite3.connect(home / "polyant.db")) as database, database:
        database.execute("UPDATE instance_prompts SET content = hex(zeroblob(100000))")


def test_backup_on_a_full_disk_leaves_no_file(data: Path) -> None:
    enlarge(data)
    done = limited(data.parent, "backup", "out", size=100_000)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "polyant: Can't write out: File too large\n"
    assert [path.name for path in data.parent.iterdir()] == [".polyant"]


def test_restore_on_a_full_disk_stores_nothing(polyant: Polyant, data: Path, file: Path, target: Path) -> None:
    enlarge(data)
    polyant.succeed("backup", str(file), "--force", given=PASSPHRASE)
    target.mkdir()
    migrated = run_polyant(target, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    home = target / ".polyant"
    before = in_home(home)
    done = limited(target, "restore", str(file), size=300_000)
    assert (done.returncode, done.stdout) == (3, "")
    assert "The database is unavailable" in done.stderr
    assert in_home(home) == before
    assert restore(polyant, file, home).code == 0


def test_default_key_derivation_is_expensive(data: Path) -> None:
    """The tests derive keys cheaply otherwise."""
    done = subprocess.run(
        [sys.executable, "-m", "polyant", "backup", "out"],
        cwd=data.parent,
        env=environment(data.parent),
        input=PASSPHRASE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    header = (data.parent / "out").read_bytes()
    assert (int.from_bytes(header[16:20]), int.from_bytes(header[20:24])) == (128 * 1024, 3)


# Backups that can't be restored


DAMAGED = "polyant: The backup is damaged or incomplete. Use another copy of it, or another backup\n"
NEWER = (
    "polyant: The backup was created by a newer version of polyant: it contains a file format 2. "
    "Update polyant, then restore the backup\n"
)
WRONG = "polyant: The passphrase is wrong, or the beginning of the file is damaged\n"


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda saved: saved[:-1], DAMAGED),
        (lambda saved: saved[:1_000], DAMAGED),
        (lambda saved: saved[:30], DAMAGED),
        (lambda saved: saved + b"\0", DAMAGED),
        (lambda saved: saved[:2_000] + bytes([saved[2_000] ^ 1]) + saved[2_001:], DAMAGED),
        (lambda saved: saved[:30] + bytes([saved[30] ^ 1]) + saved[31:], WRONG),
        (lambda saved: saved[:5], "polyant: The file is not a backup of polyant\n"),
        (lambda saved: saved[:0], "polyant: The file is not a backup of polyant\n"),
        (lambda saved: saved[1:], "polyant: The file is not a backup of polyant\n"),
        (
            lambda saved: saved[:15] + b"\2" + saved[16:],
            NEWER,
        ),
    ],
)
def test_unusable_backup_changes_nothing(
    polyant: Polyant, file: Path, target: Path, saved: bytes, damage: Callable[[bytes], bytes], message: str
) -> None:
    file.write_bytes(damage(saved))
    assert restore(polyant, file, target) == Done(3, "", message)
    assert restore(polyant, file, target, "--check") == Done(3, "", message)
    assert not target.exists()


@pytest.mark.parametrize("name", ["/dev/null", "."])
def test_only_regular_files_are_restored(polyant: Polyant, target: Path, name: str) -> None:
    assert restore(polyant, Path(name), target) == Done(3, "", "polyant: The file is not a backup of polyant\n")


def test_missing_backup_is_not_found(polyant: Polyant, target: Path) -> None:
    assert restore(polyant, Path("nothing"), target) == Done(4, "", "polyant: nothing doesn't exist\n")


def test_check_stores_nothing(polyant: Polyant, file: Path, target: Path) -> None:
    done = restore(polyant, file, target, "--check")
    assert done.stdout == f"{file} is complete: it contains 2 instances, 2 users and 15 audit entries.\n"
    assert not target.exists()


# Targets


def test_database_with_data_is_not_changed(polyant: Polyant, data: Path, file: Path) -> None:
    before = in_home(data)
    done = polyant("restore", str(file), given="not asked for")
    assert (done.code, done.stdout) == (5, "")
    assert "The database already contains data" in done.stderr
    assert "move polyant.db away" in done.stderr
    assert in_home(data) == before


def test_initial_data_are_replaced(polyant: Polyant, home: Path, data_of_backup: Any) -> None:
    assert polyant.succeed("instances", "list", "--json").json["total"] == 1
    password = home / "initial-admin-password"
    password.write_text("a password that was generated here\n")
    file, expected = data_of_backup
    polyant.succeed("restore", str(file), given=PASSPHRASE)
    assert in_home(home) == expected
    assert not password.exists()  # it was the password of the removed user


@pytest.fixture
def data_of_backup(file: Path, filled_home: Path) -> tuple[Path, Any]:
    """The backup, and its content."""
    return file, in_home(filled_home)


def test_file_with_the_first_users_password_is_kept_if_it_is_right(polyant: Polyant, data: Path, file: Path) -> None:
    password = (data / "initial-admin-password").read_text()
    for database in data.glob("polyant.db*"):
        database.unlink()
    polyant.succeed("restore", str(file), given=PASSPHRASE)
    assert (data / "initial-admin-password").read_text() == password


def test_metrics_of_removed_instances_are_removed(polyant: Polyant, home: Path, file: Path) -> None:
    with closing(sqlite3.connect(home / "polyant.db")) as database, database:
        database.execute(
            "INSERT INTO turns (slug, request_id, at, outcome, milliseconds, steps, tool_calls, failed_tool_calls, "
            "prompt_tokens, completion_tokens, streamed) VALUES ('demo-bot', 'r', '2026-11-26T00:00:00+00:00', "
            "'finished', 1, 1, 0, 0, 1, 1, 0)"
        )
    polyant.succeed("restore", str(file), given=PASSPHRASE)
    with closing(sqlite3.connect(home / "polyant.db")) as database:
        assert database.execute("SELECT count(*) FROM turns").fetchone() == (0,)


@pytest.mark.parametrize(
    "statement, message",
    [
        ("DELETE FROM migration WHERE name = (SELECT max(name) FROM migration)", "older version of polyant"),
        ("INSERT INTO migration (name, app_name, ran_on) VALUES ('3000', 'polyant', '3000-01-01')", "newer version"),
    ],
)
def test_database_of_another_version_is_not_changed(
    polyant: Polyant, home: Path, file: Path, statement: str, message: str
) -> None:
    with closing(sqlite3.connect(home / "polyant.db")) as database, database:
        database.execute(statement)
    before = in_home(home)
    done = polyant("restore", str(file), given=PASSPHRASE)
    assert done.code == 3
    assert message in done.stderr
    assert in_home(home) == before


def test_wrong_master_key_of_the_target_is_refused(polyant: Polyant, home: Path, file: Path) -> None:
    before = in_home(home)
    done = polyant("restore", str(file), given=PASSPHRASE, ENCRYPTION_KEY="b" * 64)
    assert done.code == 3
    assert "The master key is not the key" in done.stderr
    assert in_home(home) == before


# Sources


def test_missing_data_are_not_backed_up(polyant: Polyant) -> None:
    done = polyant("backup", "out", given=PASSPHRASE)
    assert done.code == 3
    assert "There is no data in" in done.stderr


def test_unreadable_secrets_are_named_and_no_file_is_created(polyant: Polyant, data: Path) -> None:
    with closing(sqlite3.connect(data / "polyant.db")) as database, database:
        database.execute("UPDATE instance_secrets SET sealed = sealed || 'AAAA' WHERE name = 'crm_token'")
    done = polyant("backup", "out", given=PASSPHRASE)
    assert (done.code, done.stdout) == (3, "")
    assert "decrypts 1 of the stored secrets: vendor/crm_token. " in done.stderr
    assert {path.name for path in Path().iterdir()} == {".polyant"}


@pytest.mark.parametrize("variable", ["INSTANCE_REPO", "USER_REPO", "AUDIT_LOG"])
def test_store_that_the_archive_does_not_cover_is_refused(
    polyant: Polyant, data: Path, file: Path, target: Path, variable: str
) -> None:
    fix = "set ARCHIVE to the adapter that backs up the same store"
    message = f"polyant: ARCHIVE is piccolo, but {variable} is memory: {fix}\n"
    assert polyant("backup", "out", given=PASSPHRASE, **{variable: "memory"}) == Done(3, "", message)
    refused = polyant("restore", str(file), given=PASSPHRASE, POLYANT_HOME=str(target), **{variable: "memory"})
    assert refused == Done(3, "", message)
    assert not Path("out").exists()
    assert not target.exists()


def test_key_derivation_is_cheap_in_these_tests() -> None:
    presets = AesGcmBackupCipher.__init__.__kwdefaults__
    assert presets is not None
    assert presets["memory_kib"] < 1_000
