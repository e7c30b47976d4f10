"""The master keys: the current one, which seals, and those before it, which only open."""

import hmac
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from polyant.domain.secrets import SecretText
from polyant.home import draft_of, encryption_key_file_of, encryption_key_of, parse_key
from polyant.settings import Settings, SettingsError

_Stamp = tuple[int, int, int, int]


class MasterKeys(Iterable[SecretText]):
    """The keys, the current one first; re-iterating yields the current keys, so a server takes a new key while it runs.

    The key files are read once, and again when one has changed: its inode, size, or time of change is another. Keys
    from the environment stay what they were at the start.

    Args:
        settings: Where the keys are.
        create: Whether a missing file may be made where there is no data yet.

    Raises:
        SettingsError: There is no current key, or a file is damaged.
    """

    def __init__(self, settings: Settings, *, create: bool) -> None:
        encryption_key_of(settings, create=create)
        self._settings = settings
        self._files = (encryption_key_file_of(settings), older_keys_file_of(settings))
        self._stamps = self._stamp_files()  # before reading, so that a change meanwhile is noticed the next time
        self._keys = _read(settings)

    def __iter__(self) -> Iterator[SecretText]:
        """Returns the keys as they are now, or as they were when the files could be read last."""
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
    """Returns where the keys before the current one stand if the environment doesn't give that one."""
    return encryption_key_file_of(settings).with_suffix(".previous")


def places_of_older_keys(settings: Settings) -> list[str]:
    """Returns where older keys are given, in words for the operator."""
    file = older_keys_file_of(settings)
    in_environment = ["ENCRYPTION_KEY_PREVIOUS"] if settings.encryption_key_previous else []
    in_file = [str(file)] if settings.encryption_key is None and file.exists() else []
    return in_environment + in_file


def replace_key_file(settings: Settings, current: SecretText) -> None:
    """Puts a new key in the place of the current one, which joins the older ones first.

    At every moment, and after a crash at any, the files hold all keys that anything was sealed with. If another
    process has replaced the current key by now, that one's key stands.

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
        raise SettingsError(f"POLYANT_HOME: can't write to {file.parent}: {error.strerror}") from error


def _stamp_of(file: Path) -> _Stamp | None:
    """Returns what changes whenever the file does; None without a readable one."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read(settings: Settings) -> tuple[SecretText, ...]:
    # In this order: a new key comes into its file after the one before it has joined the older ones.
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
    with draft_of(path, *lines) as draft:
        draft.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Returns once the folder's entries are on the disk: what the new key seals must not be there before the key is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Waits until no other process has the folder locked; a lock ends with its process."""
    import fcntl  # noqa: PLC0415 - not everywhere, and needed for this alone

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _same(one: SecretText, other: SecretText) -> bool:
    return hmac.compare_digest(one.reveal(), other.reveal())
