"""POLYANT_HOME: the folder with the embedded database and the key files."""

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from polyant.domain.secrets import SecretText
from polyant.settings import Settings, SettingsError

_WRITE_FIXES = {
    errno.EROFS: "Mount the file system writable, or set POLYANT_HOME to a writable folder",
    errno.ENOSPC: "Free space on its file system",
    errno.EDQUOT: "Free space, or raise the quota of this user",
}
_HOW_TO_GENERATE = "generate one with: python3 -c 'import secrets; print(secrets.token_hex(32))'"


def database_url_of(settings: Settings) -> SecretText:
    """Returns the URL of the database; the default is the SQLite file in POLYANT_HOME."""
    return settings.database_url or SecretText(f"sqlite:///{quote(str(settings.home.absolute() / 'polyant.db'))}")


def database_file_of(settings: Settings) -> Path | None:
    """Returns the file of a SQLite database, or None for PostgreSQL."""
    url = database_url_of(settings).reveal()
    return Path(unquote(url.removeprefix("sqlite:///"))) if url.startswith("sqlite:///") else None


def data_exists(settings: Settings) -> bool:
    """Returns whether data may exist: a database file, a database server or the storage of another adapter."""
    embedded = "piccolo" in {settings.instance_repo, settings.key_check}
    return not embedded or not _database_is_missing(settings)


def exists(path: Path) -> bool:
    """Returns whether a file or folder exists.

    Raises:
        SettingsError: This user may not look into the folder, or its file system doesn't respond.
    """
    try:
        return path.exists()
    except PermissionError:
        raise access_error(path) from None
    except OSError as error:
        fix = "Check the path and its file system, or set POLYANT_HOME to another folder"
        raise SettingsError(f"POLYANT_HOME: can't access {path.absolute()}: {error.strerror}. {fix}") from None


def access_error(path: Path) -> SettingsError:
    """Returns the error for a path that this user may not access; it names the user and the owner."""
    found = next((parent for parent in path.absolute().parents if _owner_of(parent) is not None), None)
    owner = _owner_of(found) if found is not None else None
    place = f"{found}, which belongs to {owner}" if owner is not None else str(path.absolute())
    return SettingsError(
        f"POLYANT_HOME: {_name_of_user(os.geteuid())} may not access {place}. "
        "Run polyant as its owner, change the owner with chown, or set POLYANT_HOME to another folder"
    )


def write_error(problem: str, error: OSError) -> SettingsError:
    """Returns the error for a folder that can't be written; it names the reason and the fix."""
    fix = _WRITE_FIXES.get(error.errno or 0, "Set POLYANT_HOME to a folder that this user can write")
    return SettingsError(f"POLYANT_HOME: {problem}: {error.strerror}. {fix}")


def _owner_of(path: Path) -> str | None:
    """Returns the name of the owner, or None if this user can't even see the path."""
    try:
        return _name_of_user(path.stat().st_uid)
    except OSError:
        return None


def _name_of_user(uid: int) -> str:
    import pwd  # noqa: PLC0415 - not available on every platform, and needed only here

    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user {uid}"


def create_home(settings: Settings) -> None:
    """Creates POLYANT_HOME, accessible only to its owner, if the settings need it.

    Raises:
        SettingsError: The folder can't be created, or the folder of the SQLite file in DATABASE_URL isn't writable.
    """
    file = database_file_of(settings)
    if settings.database_url is not None and file is not None and not os.access(file.parent, os.W_OK):
        raise SettingsError(f"DATABASE_URL: {file.parent} is not a writable folder")
    if not (settings.database_url and settings.encryption_key and settings.auth_secret):
        try:
            settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(f"can't create {settings.home.absolute()}", error) from error


def require_given_secrets(settings: Settings) -> None:
    """Returns if the secrets that PostgreSQL deployments require are set.

    Raises:
        SettingsError: The database is a PostgreSQL server and a secret isn't set. A key file could be lost with the
            machine or container while the data remains.
    """
    given = {"ENCRYPTION_KEY": settings.encryption_key, "AUTH_SECRET": settings.auth_secret}
    missing = [name for name, secret in given.items() if secret is None]
    if settings.uses_postgresql and missing:
        lines = [f"{name} must be set when DATABASE_URL is a PostgreSQL server: {_HOW_TO_GENERATE}" for name in missing]
        raise SettingsError("\n".join(lines))


def encryption_key_of(settings: Settings, *, create: bool) -> SecretText:
    """Returns the master key from the environment or from its file.

    Args:
        settings: The settings.
        create: Whether to create a missing file. It isn't created if data exists, because the missing key is the one
            that encrypted it.

    Raises:
        SettingsError: There is no key.
    """
    if settings.encryption_key is not None:
        return settings.encryption_key
    file = encryption_key_file_of(settings)
    if create and _database_is_missing(settings):
        _make_key_file(settings, file)
    return _key_in(file, "ENCRYPTION_KEY")


def encryption_key_file_of(settings: Settings) -> Path:
    """Returns the file of the master key, which is used if ENCRYPTION_KEY isn't set."""
    return settings.home / "keys" / "encryption.key"


def auth_secret_of(settings: Settings, *, create: bool) -> SecretText:
    """Returns the secret that signs sessions from the environment or from its file.

    Args:
        settings: The settings.
        create: Whether to create a missing file.

    Raises:
        SettingsError: There is no secret.
    """
    if settings.auth_secret is not None:
        return settings.auth_secret
    file = settings.home / "keys" / "auth.secret"
    if create:
        _make_key_file(settings, file)
    return _key_in(file, "AUTH_SECRET")


def initial_password_file_of(settings: Settings) -> Path:
    """Returns the file of the first user's password, which is used if the password was generated."""
    return settings.home / "initial-admin-password"


def initial_password_of(settings: Settings, generated: SecretText) -> SecretText:
    """Returns the first user's password from its file; a missing file is created with the generated password.

    Raises:
        SettingsError: The file can't be written or read.
    """
    file = initial_password_file_of(settings)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            _create(file, generated.reveal())
        return SecretText(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"POLYANT_HOME: can't store a password in {file}") from error


def stored_initial_password(settings: Settings) -> SecretText | None:
    """Returns the first user's password from its file, or None if there is no readable file."""
    try:
        return SecretText(initial_password_file_of(settings).read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return None


def _database_is_missing(settings: Settings) -> bool:
    """Returns whether the file of the embedded database doesn't exist yet."""
    file = database_file_of(settings)
    return file is not None and not exists(file)


def _make_key_file(settings: Settings, path: Path) -> None:
    if exists(path):
        return
    create_home(settings)
    try:
        _create(path, secrets.token_hex(32))
    except OSError as error:
        raise write_error(f"can't write to {path.parent}", error) from error


def _key_in(path: Path, variable: str) -> SecretText:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{variable} is not set and there is no readable key in {path}: restore that file or set {variable}"
        ) from error
    return parse_key(text, path)


def parse_key(text: str, path: Path) -> SecretText:
    """Returns a key read from a file.

    Args:
        text: The text of the key.
        path: The file, for the error message.

    Raises:
        SettingsError: The text isn't a key; the message doesn't contain the text.
    """
    if not re.match(r"\A[0-9a-fA-F]{64}\Z", text):
        raise SettingsError(f"{path} must contain 64 hexadecimal digits")
    return SecretText(text)


def _create(path: Path, line: str) -> None:
    """Creates the file with a new secret, unless another process has created it first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with temporary_file(path, line) as draft, contextlib.suppress(FileExistsError):
        os.link(draft, path)


@contextlib.contextmanager
def temporary_file(path: Path, *lines: str) -> Iterator[Path]:
    """Yields a temporary file next to the path, synced to disk and accessible only to its owner; removes it on exit."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
