"""Checks the files and folders of the data and the keys."""

import os
import shlex
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from polyant.cli.context import missing_data
from polyant.cli.doctor.finding import Finding, fault, warning
from polyant.home import access_error, data_exists, database_file_of, encryption_key_file_of, exists
from polyant.master_keys import older_keys_file_of
from polyant.settings import Settings

_OTHERS = 0o077


def data_folders(settings: Settings) -> list[Path]:
    """Returns the folders in which this server keeps files: those of the SQLite database and of the keys."""
    file = database_file_of(settings)
    has_keys = not (settings.encryption_key and settings.auth_secret)
    needed = [*([file.parent] if file is not None else []), *([settings.home] if has_keys else [])]
    return list(dict.fromkeys(folder.absolute() for folder in needed))


async def check_access(settings: Settings) -> AsyncIterator[Finding]:
    """Yields a fault for each folder and database file that this user can't read and write.

    Raises:
        SettingsError: This user may not look into a folder.
    """
    for folder in data_folders(settings):
        if not exists(folder):
            continue
        if not folder.is_dir():
            fix = "Rename it, or set POLYANT_HOME or DATABASE_URL to another folder"
            yield fault("files", f"{folder} is not a folder", fix=fix)
            continue
        if not os.access(folder, os.R_OK | os.X_OK):
            raise access_error(folder / "any")
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            fix = "Mount it writable, or set POLYANT_HOME or DATABASE_URL to a writable folder"
            yield fault("files", f"{folder} is on a read-only file system", fix=fix)
        elif not os.access(folder, os.W_OK):
            yield _not_writable(folder)
    for file in filter(exists, _database_files(settings)):
        if not os.access(file, os.R_OK | os.W_OK) and not os.statvfs(file).f_flag & os.ST_RDONLY:
            yield _not_writable(file)


async def check_permissions(settings: Settings) -> AsyncIterator[Finding]:
    """Yields a warning for each file and folder that other users can access."""
    keys = settings.home / "keys"
    key_files = (encryption_key_file_of(settings), older_keys_file_of(settings), keys / "auth.secret")
    for path in filter(None, (database_file_of(settings), settings.home, keys, *key_files)):
        if _mode_of(path) & _OTHERS:
            command = f"chmod go= {shlex.quote(str(path.absolute()))}"
            yield warning("files", f"other users can access {path.name or path}", fix=f"Run `{command}`")


async def check_data_exists(settings: Settings) -> AsyncIterator[Finding]:
    """Yields a fault if there is no database file."""
    if not data_exists(settings):
        problem, fix = missing_data(settings)
        yield fault("database", problem, fix=fix)


def _mode_of(path: Path) -> int:
    """Returns the mode of a file; 0 if it doesn't exist or this user may not see it, as `check_access` reports."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _database_files(settings: Settings) -> Iterator[Path]:
    """Yields the files of a SQLite database: a command of another user may have created one of them."""
    file = database_file_of(settings)
    if file is not None:
        for suffix in ("", "-wal", "-shm"):
            yield file.with_name(f"{file.name}{suffix}").absolute()


def _not_writable(path: Path) -> Finding:
    command = f"chown {os.geteuid()} {shlex.quote(str(path))}"
    problem = f"the user {os.geteuid()} can't write {path}, which belongs to the user {path.stat().st_uid}"
    return fault("files", problem, fix=f"Run polyant as its owner, or run `{command}` as root")
