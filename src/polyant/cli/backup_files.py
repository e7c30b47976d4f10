"""Backup files: written completely or not at all, and read in pieces."""

import contextlib
import os
import secrets
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO

from polyant.domain.backups import BACKUP_MAGIC, NotABackupError
from polyant.domain.errors import ConflictError, NotFoundError, UnavailableError

_PIECE_BYTES = 1024 * 1024


class BackupExistsError(ConflictError):
    """A file with that name exists."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} already exists", hint="Name another file, or pass --force to replace a backup")


class BackupFileError(UnavailableError):
    """The file can't be written or read.

    Args:
        action: The failed action, as an infinitive.
        file: The file.
        error: The reason.
    """

    def __init__(self, action: str, file: Path, error: OSError) -> None:
        super().__init__(f"Can't {action} {file}: {error.strerror or type(error).__name__}")


class MissingBackupError(NotFoundError):
    """No file has that name."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} doesn't exist")


def check_target(file: Path, *, force: bool) -> None:
    """Returns if a backup may be written to the file.

    Raises:
        BackupExistsError: The file exists and may not be replaced; with `force`, only a backup may.
        BackupFileError: The file can't be read.
    """
    with _translated("write", file):
        if not file.exists():
            file.parent.stat()  # reports a missing folder
            return
        if force and file.is_file() and (not file.stat().st_size or _starts_like_a_backup(file)):
            return
    if force:
        raise ConflictError(f"{file} exists and isn't a backup, so --force doesn't replace it")
    raise BackupExistsError(file)


def check_source(file: Path) -> None:
    """Returns if the file can be read and begins like a backup.

    Raises:
        MissingBackupError: The file doesn't exist.
        NotABackupError: The file isn't a backup.
        BackupFileError: The file can't be read.
    """
    with _translated("read", file):
        if not stat.S_ISREG(file.stat().st_mode) or not _starts_like_a_backup(file):
            raise NotABackupError


@contextlib.contextmanager
def new_backup(file: Path, *, force: bool) -> Iterator[Callable[[bytes], None]]:
    """Yields a function that writes; if the context exits without an error, the file is complete and on the disk.

    Until then, the bytes are in a temporary file in the same folder, readable only by its owner. It is removed after an
    error; if the process is killed, `.polyant-backup-*` remains.

    Raises:
        BackupExistsError: The file exists and may not be replaced.
        BackupFileError: The file can't be written.
    """
    place = Path(os.path.realpath(file))  # replaces the target of a link, not the link
    draft = place.with_name(f".polyant-backup-{secrets.token_hex(8)}")
    with _translated("write", file):
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with contextlib.closing(os.fdopen(descriptor, "wb", buffering=0)) as stream:

            def write(piece: bytes) -> None:
                with _translated("write", file):
                    _write_all(stream, piece)

            yield write
            with _translated("write", file):
                os.fsync(descriptor)
        check_target(file, force=force)
        with _translated("write", file):
            _move(draft, place, replace=force)
    finally:
        draft.unlink(missing_ok=True)


async def read_backup(file: Path) -> AsyncIterator[bytes]:
    """Yields the content of the file in pieces of up to 1 MiB.

    Raises:
        BackupFileError: The file can't be read.
    """
    with _translated("read", file):
        stream = file.open("rb")
    with stream:
        while True:
            with _translated("read", file):
                piece = stream.read(_PIECE_BYTES)
            if not piece:
                return
            yield piece


def _write_all(stream: IO[bytes], piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[stream.write(rest) :]


def _move(draft: Path, place: Path, *, replace: bool) -> None:
    if replace:
        draft.replace(place)
    else:
        try:
            os.link(draft, place)  # unlike a rename, fails if another process has created the file meanwhile
        except FileExistsError:
            raise BackupExistsError(place) from None
        except OSError:  # the file system has no links
            draft.rename(place)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _starts_like_a_backup(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(BACKUP_MAGIC)) == BACKUP_MAGIC


@contextlib.contextmanager
def _translated(action: str, file: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if action == "read":
            raise MissingBackupError(file) from None
        raise BackupFileError(action, file, error) from None
    except OSError as error:
        raise BackupFileError(action, file, error) from None
