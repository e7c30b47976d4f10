"""The master keys: the current one, which encrypts, and older ones, which only decrypt."""

import hmac
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from polyant.domain.secrets import SecretText
from polyant.home import encryption_key_file_of, encryption_key_of, exists, parse_key, temporary_file, write_error
from polyant.settings import Settings, SettingsError

_Stamp = tuple[int, int, int, int]


class MasterKeys(Iterable[SecretText]):
    """Yields the master keys, the current one first.

    Each iteration yields the keys as they are now, so a running server picks up a new key. The key files are read
    again when the inode, size or change time of one differs. Keys from the environment never change.

    Args:
        settings: The settings that give or locate the keys.
        create: Whether to create a missing key file if no data exists.

    Raises:
        SettingsError: There is no current key, or a file is damaged.
    """

    def __init__(self, settings: Settings, *, create: bool) -> None:
        encryption_key_of(settings, create=create)
        self._settings = settings
        self._files = (encryption_key_file_of(settings), older_keys_file_of(settings))
        self._stamps = self._stamp_files()  # before reading, so that a concurrent change is noticed later
        self._keys = _read(settings)

    def __iter__(self) -> Iterator[SecretText]:
        """Returns the current keys, or the last readable ones if a file can't be read."""
        stamps = self._stamp_files()
        if stamps != self._stamps:
            with suppress(SettingsError):
                self._keys = _read(self._settings)
                self._stamps = stamps
        return iter(self._keys)

    def _stamp_files(self) -> tuple[_Stamp | None, ...]:
        given = self._settings.encryption_key is not None
        return () if given else tuple(map(_stamp_of, self._files))


def older_keys_file_of(settings: Settings) -> Path:
    """Returns the file of the older master keys, which is used if ENCRYPTION_KEY isn't set."""
    return encryption_key_file_of(settings).with_suffix(".previous")


def older_key_locations(settings: Settings) -> list[str]:
    """Returns the locations of older keys: the environment variable, the file or both."""
    file = older_keys_file_of(settings)
    in_environment = ["ENCRYPTION_KEY_PREVIOUS"] if settings.encryption_key_previous else []
    in_file = [str(file)] if settings.encryption_key is None and exists(file) else []
    return in_environment + in_file


def replace_key_file(settings: Settings, current: SecretText) -> None:
    """Generates a new master key, after the current one has been added to the older ones.

    At any time, even after a crash, the files contain every key that encrypted a secret. If another process has
    already replaced the current key, nothing changes.

    Args:
        settings: The settings that locate the key files.
        current: The key to replace.

    Raises:
        SettingsError: A file can't be read or written.
    """
    file = encryption_key_file_of(settings)
    try:
        with _locked(file.parent):
            if not _same(encryption_key_of(settings, create=False), current):
                return
            older = (key for key in _older_keys(settings) if not _same(key, current))
            _replace(older_keys_file_of(settings), current.reveal(), *(key.reveal() for key in older))
            _replace(file, secrets.token_hex(32))
    except OSError as error:
        raise write_error(f"can't write to {file.parent}", error) from error


def _stamp_of(file: Path) -> _Stamp | None:
    """Returns a value that changes with the file, or None if the file can't be read."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read(settings: Settings) -> tuple[SecretText, ...]:
    # In this order: a rotation writes the older keys before the new one.
    current = encryption_key_of(settings, create=False)
    older = () if settings.encryption_key is not None else _older_keys(settings)
    return (current, *settings.encryption_key_previous, *older)


def _older_keys(settings: Settings) -> tuple[SecretText, ...]:
    file = older_keys_file_of(settings)
    try:
        lines = file.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The older master keys in {file} can't be read: restore that file") from error
    return tuple(parse_key(line, file) for line in lines)


def _replace(path: Path, *lines: str) -> None:
    with temporary_file(path, *lines) as draft:
        draft.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Syncs the folder to disk, so that a new key is durable before it encrypts anything."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds an exclusive lock on the folder; waits for other processes, whose locks end with them."""
    import fcntl  # noqa: PLC0415 - not available on every platform, and needed only here

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _same(one: SecretText, other: SecretText) -> bool:
    return hmac.compare_digest(one.reveal(), other.reveal())
