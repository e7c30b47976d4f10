"""POLYANT_HOME: the folder with the embedded database and the key files."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from polyant.domain.secrets import SecretText
from polyant.settings import Settings, SettingsError

_HOW_TO_MAKE = "make one with: python3 -c 'import secrets; print(secrets.token_hex(32))'"


def database_url_of(settings: Settings) -> SecretText:
    """Returns the database's URL: the one given, else the SQLite file in POLYANT_HOME."""
    return settings.database_url or SecretText(f"sqlite:///{quote(str(settings.home.absolute() / 'polyant.db'))}")


def database_file_of(settings: Settings) -> Path | None:
    """Returns the file of a SQLite database, None for a PostgreSQL one."""
    url = database_url_of(settings).reveal()
    return Path(unquote(url.removeprefix("sqlite:///"))) if url.startswith("sqlite:///") else None


def data_exists(settings: Settings) -> bool:
    """Returns whether there may be data: a database file, a database server, or another adapter's own place."""
    embedded = "piccolo" in {settings.instance_repo, settings.key_check}
    return not embedded or not _database_is_missing(settings)


def create_home(settings: Settings) -> None:
    """Creates the folder, readable by its owner alone, if the settings leave anything to it.

    Raises:
        SettingsError: The SQLite file that DATABASE_URL names can't be made where it says, or the folder can't.
    """
    file = database_file_of(settings)
    if settings.database_url is not None and file is not None and not os.access(file.parent, os.W_OK):
        raise SettingsError(f"DATABASE_URL: {file.parent} is not a folder that can be written to")
    if not (settings.database_url and settings.encryption_key and settings.auth_secret):
        try:
            settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"POLYANT_HOME: can't create {settings.home.absolute()}: {error.strerror}") from error


def require_given_secrets(settings: Settings) -> None:
    """Returns if the master secrets come from where they can stay.

    Raises:
        SettingsError: The database is a PostgreSQL server and a secret isn't given: a key file would be lost with the
            machine or container while the data lives on.
    """
    given = {"ENCRYPTION_KEY": settings.encryption_key, "AUTH_SECRET": settings.auth_secret}
    missing = [name for name, secret in given.items() if secret is None]
    if settings.uses_postgresql and missing:
        lines = [f"{name} must be set when DATABASE_URL is a PostgreSQL server: {_HOW_TO_MAKE}" for name in missing]
        raise SettingsError("\n".join(lines))


def encryption_key_of(settings: Settings, *, create: bool) -> SecretText:
    """Returns the master key: from the environment, else from its file.

    `create` makes a missing file where there is no data yet; where there is, the missing key has sealed it.

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
    """Returns where the master key stands if the environment doesn't give it."""
    return settings.home / "keys" / "encryption.key"


def auth_secret_of(settings: Settings, *, create: bool) -> SecretText:
    """Returns the secret that signs sessions: from the environment, else from its file, which `create` may make.

    Raises:
        SettingsError: There is none.
    """
    if settings.auth_secret is not None:
        return settings.auth_secret
    file = settings.home / "keys" / "auth.secret"
    if create:
        _make_key_file(settings, file)
    return _key_in(file, "AUTH_SECRET")


def initial_password_file_of(settings: Settings) -> Path:
    """Returns where the first user's password stands if it was made at random."""
    return settings.home / "initial-admin-password"


def initial_password_of(settings: Settings, fresh: SecretText) -> SecretText:
    """Returns the first user's password: the one in its file, where a fresh one is put if there is none.

    Raises:
        SettingsError: The file can't be written or read.
    """
    file = initial_password_file_of(settings)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            _create(file, fresh.reveal())
        return SecretText(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"POLYANT_HOME: can't keep a password in {file}") from error


def _database_is_missing(settings: Settings) -> bool:
    """Returns whether the embedded database is still to be made."""
    file = database_file_of(settings)
    return file is not None and not file.exists()


def _make_key_file(settings: Settings, path: Path) -> None:
    if path.exists():
        return
    create_home(settings)
    try:
        _create(path, secrets.token_hex(32))
    except OSError as error:
        raise SettingsError(f"POLYANT_HOME: can't write to {path.parent}: {error.strerror}") from error


def _key_in(path: Path, variable: str) -> SecretText:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{variable} is not set and there is no readable key in {path}: restore that file or set {variable}"
        ) from error
    return parse_key(text, path)


def parse_key(text: str, path: Path) -> SecretText:
    """Returns the key that stands in the file.

    Raises:
        SettingsError: It isn't one; the message names the file and doesn't show the text.
    """
    if not re.match(r"\A[0-9a-fA-F]{64}\Z", text):
        raise SettingsError(f"{path} must hold 64 hexadecimal digits")
    return SecretText(text)


def _create(path: Path, line: str) -> None:
    """Writes a new secret; of several processes at once the first one's stands."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with draft_of(path, line) as draft, contextlib.suppress(FileExistsError):
        os.link(draft, path)


@contextlib.contextmanager
def draft_of(path: Path, *lines: str) -> Iterator[Path]:
    """Yields a file beside the path, whole on the disk and readable by its owner alone, and removes what is left."""
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
