import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from polyant import master_keys
from polyant.domain.secrets import SecretText
from polyant.master_keys import MasterKeys, older_key_locations, older_keys_file_of, replace_key_file
from polyant.settings import Settings, SettingsError, read_settings

A, B, C = (digit * 64 for digit in "abc")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The folder of the key files, with A as the current key."""
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "encryption.key").write_text(f"{A}\n")
    return folder


@pytest.fixture
def settings(keys: Path) -> Settings:
    return settings_in(keys)


def settings_in(keys: Path, **variables: str) -> Settings:
    return read_settings({"POLYANT_HOME": str(keys.parent), **variables})


def read(settings: Settings) -> list[str]:
    return texts(MasterKeys(settings, create=False))


def texts(keys: MasterKeys) -> list[str]:
    return [key.reveal() for key in keys]


def current_of(settings: Settings) -> SecretText:
    return next(iter(MasterKeys(settings, create=False)))


# Sources of keys


def test_key_in_the_file_is_the_only_one(settings: Settings) -> None:
    assert read(settings) == [A]
    assert older_key_locations(settings) == []


def test_older_keys_follow_the_current_one(keys: Path, settings: Settings) -> None:
    (keys / "encryption.previous").write_text(f"{B}\n\n{C}\n")
    assert older_keys_file_of(settings) == keys / "encryption.previous"
    assert read(settings) == [A, B, C]
    assert older_key_locations(settings) == [str(keys / "encryption.previous")]


def test_keys_in_the_environment_replace_those_in_the_file(keys: Path) -> None:
    (keys / "encryption.previous").write_text(A)
    settings = settings_in(keys, ENCRYPTION_KEY=B, ENCRYPTION_KEY_PREVIOUS=f"{C},{A}")
    assert read(settings) == [B, C, A]
    assert older_key_locations(settings) == ["ENCRYPTION_KEY_PREVIOUS"]
    assert read(settings_in(keys, ENCRYPTION_KEY=B)) == [B]


def test_older_keys_in_the_environment_are_added_to_those_in_the_file(keys: Path) -> None:
    (keys / "encryption.previous").write_text(B)
    settings = settings_in(keys, ENCRYPTION_KEY_PREVIOUS=C)
    assert read(settings) == [A, C, B]
    assert older_key_locations(settings) == ["ENCRYPTION_KEY_PREVIOUS", str(keys / "encryption.previous")]


@pytest.mark.parametrize("text", ["abc", f"{A},{A[:63]}", f"{A};{B}", f"{A},xyz"])
def test_invalid_older_keys_are_refused_without_showing_them(keys: Path, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_in(keys, ENCRYPTION_KEY_PREVIOUS=text)
    assert str(caught.value) == ("ENCRYPTION_KEY_PREVIOUS must be keys of 64 hexadecimal digits, separated by commas")


@pytest.mark.parametrize("text", ["abc", f"{A}\n{B[:63]}", f"{A},{B}", "Schlüssel"])
def test_damaged_file_of_older_keys_is_reported_without_showing_it(keys: Path, settings: Settings, text: str) -> None:
    (keys / "encryption.previous").write_text(text)
    with pytest.raises(SettingsError, match=r"keys/encryption\.previous") as caught:
        read(settings)
    assert all(word not in str(caught.value) for word in text.split())


def test_settings_do_not_show_keys(keys: Path) -> None:
    settings = settings_in(keys, ENCRYPTION_KEY=B, ENCRYPTION_KEY_PREVIOUS=A)
    assert not {A, B} & set(repr(settings).replace("'", " ").split())
    assert A not in repr(settings)


# Key replacement while a server runs


def test_re_iterating_yields_the_current_keys(keys: Path, settings: Settings) -> None:
    found = MasterKeys(settings, create=False)
    replace_key_file(settings, SecretText(A))
    new, *older = texts(found)
    assert (new, older) == ((keys / "encryption.key").read_text().strip(), [A])
    (keys / "encryption.previous").unlink()
    assert texts(found) == [new]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """A list that gets an entry each time the key files are read."""
    noted: list[Settings] = []
    read_files = master_keys._read

    def noting(settings: Settings) -> tuple[SecretText, ...]:
        noted.append(settings)
        return read_files(settings)

    monkeypatch.setattr(master_keys, "_read", noting)
    return noted


def test_files_are_read_again_only_after_a_change(keys: Path, settings: Settings, reads: list[Settings]) -> None:
    found = MasterKeys(settings, create=False)
    for _ in range(3):
        assert texts(found) == [A]
    assert len(reads) == 1
    (keys / "encryption.previous").write_text(B)
    for _ in range(3):
        assert texts(found) == [A, B]
    assert len(reads) == 2
    (keys / "encryption.key").write_text(C)  # in place
    for _ in range(3):
        assert texts(found) == [C, B]
    assert len(reads) == 3


def test_keys_in_the_environment_do_not_read_the_files(keys: Path, reads: list[Settings]) -> None:
    found = MasterKeys(settings_in(keys, ENCRYPTION_KEY=B), create=False)
    (keys / "encryption.key").write_text(C)
    assert texts(found) == [B]
    assert len(reads) == 1


def test_damaged_file_is_read_again_until_it_is_valid(keys: Path, settings: Settings, reads: list[Settings]) -> None:
    found = MasterKeys(settings, create=False)
    (keys / "encryption.key").write_text(B[:63])
    for _ in range(2):
        assert texts(found) == [A]
    (keys / "encryption.key").write_text(B)
    assert texts(found) == [B]
    assert len(reads) == 4


def test_change_during_a_read_is_noticed_the_next_time(
    keys: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = MasterKeys(settings, create=False)
    read_files = master_keys._read

    def read_and_replace(settings: Settings) -> tuple[SecretText, ...]:
        result = read_files(settings)
        monkeypatch.undo()
        (keys / "encryption.key").write_text(f"{C}\n\n")
        return result

    monkeypatch.setattr(master_keys, "_read", read_and_replace)
    (keys / "encryption.key").write_text(B)
    assert texts(found) == [B]
    assert texts(found) == [C]


def test_last_read_keys_stay_when_the_files_cannot_be_read(keys: Path, settings: Settings) -> None:
    found = MasterKeys(settings, create=False)
    keys.rename(keys.with_name("elsewhere"))
    assert texts(found) == [A]


def test_missing_key_is_reported_at_startup(keys: Path, settings: Settings) -> None:
    (keys / "encryption.key").unlink()
    with pytest.raises(SettingsError, match="ENCRYPTION_KEY is not set"):
        read(settings)


# Replacing the key


def test_new_key_becomes_current_and_the_old_one_joins_the_older_ones(keys: Path, settings: Settings) -> None:
    for count in range(1, 4):
        before = read(settings)
        replace_key_file(settings, current_of(settings))
        after = read(settings)
        assert after[1:] == before
        assert len(set(after)) == count + 1
        assert len(bytes.fromhex(after[0])) == 32


def test_files_are_private_and_no_draft_is_left(keys: Path, settings: Settings) -> None:
    replace_key_file(settings, SecretText(A))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()}
    assert modes == {"encryption.key": 0o600, "encryption.previous": 0o600}


def test_concurrent_replacements_return_the_same_new_key(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: replace_key_file(settings, SecretText(A)), range(16)))
    assert read(settings)[1:] == [A]


@pytest.mark.parametrize("steps", range(2))
def test_no_key_is_lost_in_a_crash(settings: Settings, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Each file is replaced by a rename; the machine stops before the first or the second rename."""
    replace, left = Path.replace, steps

    def crash(draft: Path, target: Path) -> Path:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        replace_key_file(settings, SecretText(A))
    assert read(settings) == [A] + [A] * steps
    monkeypatch.undo()
    replace_key_file(settings, SecretText(A))
    assert read(settings)[1:] == [A]


def test_unwritable_folder_is_reported(keys: Path, settings: Settings) -> None:
    keys.rename(keys.with_name("elsewhere"))
    with pytest.raises(SettingsError, match=f"POLYANT_HOME: can't write to {keys}"):
        replace_key_file(settings, SecretText(A))
