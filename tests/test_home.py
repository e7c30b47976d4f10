import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from polyant.home import (
    auth_secret_of,
    create_home,
    data_exists,
    database_file_of,
    database_url_of,
    encryption_key_of,
    require_given_secrets,
)
from polyant.settings import Settings, SettingsError, read_settings

KEY = "0f" * 32
SECRET = "a secret of more than thirty-two characters"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def settings_in(home: Path, **variables: str) -> Settings:
    return read_settings({"POLYANT_HOME": str(home), **variables})


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_database_is_a_file_in_the_home_folder(home: Path) -> None:
    settings = settings_in(home)
    assert database_file_of(settings) == home / "polyant.db"
    assert database_url_of(settings).reveal() == f"sqlite:///{home}/polyant.db"


def test_special_characters_of_a_path_are_url_encoded(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "50% sure?")
    assert database_url_of(settings).reveal() == f"sqlite:///{tmp_path}/50%25%20sure%3F/polyant.db"
    assert database_file_of(settings) == tmp_path / "50% sure?" / "polyant.db"


def test_database_url_overrides_the_home_folder(home: Path) -> None:
    assert database_file_of(settings_in(home, DATABASE_URL="sqlite:////srv/my%20data.db")) == Path("/srv/my data.db")
    assert database_file_of(settings_in(home, DATABASE_URL="postgresql://db/polyant")) is None


def test_data_exists_once_the_file_does(home: Path) -> None:
    settings = settings_in(home)
    assert not data_exists(settings)
    home.mkdir()
    (home / "polyant.db").touch()
    assert data_exists(settings)


@pytest.mark.parametrize(
    "variables", [{"DATABASE_URL": "postgresql://db/x"}, {"INSTANCE_REPO": "mine", "KEY_CHECK": "mine"}]
)
def test_data_in_an_unreadable_place_may_exist(home: Path, variables: dict[str, str]) -> None:
    assert data_exists(settings_in(home, **variables))


def test_home_folder_is_private_to_its_owner(home: Path) -> None:
    create_home(settings_in(home))
    assert mode_of(home) == 0o700


def test_home_folder_is_not_created_if_unused(home: Path, tmp_path: Path) -> None:
    variables = {"DATABASE_URL": f"sqlite:///{tmp_path}/bots.db", "ENCRYPTION_KEY": KEY, "AUTH_SECRET": SECRET}
    create_home(settings_in(home, **variables))
    assert not home.exists()
    del variables["AUTH_SECRET"]
    create_home(settings_in(home, **variables))
    assert home.exists()


def test_uncreatable_home_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=f"POLYANT_HOME: can't create {tmp_path}/file/home: Not a directory"):
        create_home(settings_in(tmp_path / "file" / "home"))


def test_database_in_a_missing_folder_is_reported(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"DATABASE_URL: {tmp_path}/nowhere is not a writable folder"):
        create_home(settings_in(home, DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/x.db"))
    assert not home.exists()


def test_key_files_are_created_once_and_private(home: Path) -> None:
    settings = settings_in(home)
    key, secret = encryption_key_of(settings, create=True), auth_secret_of(settings, create=True)
    assert len({key.reveal(), secret.reveal()}) == 2
    assert len(bytes.fromhex(key.reveal())) == len(bytes.fromhex(secret.reveal())) == 32
    assert (mode_of(home), mode_of(home / "keys")) == (0o700, 0o700)
    assert {mode_of(path) for path in (home / "keys").iterdir()} == {0o600}
    assert sorted(path.name for path in (home / "keys").iterdir()) == ["auth.secret", "encryption.key"]
    assert encryption_key_of(settings, create=True).reveal() == key.reveal()
    assert auth_secret_of(settings, create=True).reveal() == secret.reveal()


def test_key_files_are_private_under_any_umask(home: Path) -> None:
    before = os.umask(0)
    try:
        encryption_key_of(settings_in(home), create=True)
    finally:
        os.umask(before)
    assert (mode_of(home), mode_of(home / "keys"), mode_of(home / "keys/encryption.key")) == (0o700, 0o700, 0o600)


def test_concurrent_creations_return_the_same_key(home: Path) -> None:
    settings = settings_in(home)
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: encryption_key_of(settings, create=True).reveal(), range(16)))
    assert len(set(keys)) == 1
    assert [path.name for path in (home / "keys").iterdir()] == ["encryption.key"]


def test_given_keys_need_no_file(home: Path) -> None:
    settings = settings_in(home, ENCRYPTION_KEY=KEY, AUTH_SECRET=SECRET)
    assert encryption_key_of(settings, create=True).reveal() == KEY
    assert auth_secret_of(settings, create=True).reveal() == SECRET
    assert not home.exists()


def test_missing_keys_are_not_created_by_default(home: Path) -> None:
    for find, variable in ((encryption_key_of, "ENCRYPTION_KEY"), (auth_secret_of, "AUTH_SECRET")):
        with pytest.raises(SettingsError, match=f"{variable} is not set and there is no readable key in {home}/keys"):
            find(settings_in(home), create=False)
    assert not home.exists()


def test_key_of_existing_data_is_never_replaced(home: Path) -> None:
    home.mkdir()
    (home / "polyant.db").touch()
    with pytest.raises(SettingsError, match="restore that file or set ENCRYPTION_KEY"):
        encryption_key_of(settings_in(home), create=True)
    assert not (home / "keys").exists()


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "0f" * 31, "0f" * 33, "Schlüssel"])
def test_damaged_key_file_is_reported_without_showing_it(home: Path, text: str) -> None:
    (home / "keys").mkdir(parents=True)
    (home / "keys/encryption.key").write_text(text)
    with pytest.raises(SettingsError, match=r"keys/encryption\.key") as caught:
        encryption_key_of(settings_in(home), create=True)
    assert not text or text not in str(caught.value)


def test_unwritable_key_folder_is_reported(home: Path) -> None:
    home.mkdir()
    (home / "keys").touch()
    with pytest.raises(SettingsError, match=f"POLYANT_HOME: can't write to {home}/keys"):
        encryption_key_of(settings_in(home), create=True)


def test_postgresql_requires_keys_in_the_environment(home: Path) -> None:
    postgres = {"DATABASE_URL": "postgresql://db/polyant"}
    with pytest.raises(SettingsError) as caught:
        require_given_secrets(settings_in(home, **postgres))
    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["ENCRYPTION_KEY", "AUTH_SECRET"]
    with pytest.raises(SettingsError, match="AUTH_SECRET must be set"):
        require_given_secrets(settings_in(home, **postgres, ENCRYPTION_KEY=KEY))
    require_given_secrets(settings_in(home, **postgres, ENCRYPTION_KEY=KEY, AUTH_SECRET=SECRET))
    require_given_secrets(settings_in(home))
