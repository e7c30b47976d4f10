import stat
from pathlib import Path

from support.commands import Done, Polyant

_BESIDE = ("-wal", "-shm", "-lock")
"""The endings of the files that SQLite and its writers keep beside a database."""


def test_first_migration_creates_the_same_data_as_serve(polyant: Polyant, tmp_path: Path) -> None:
    assert polyant.succeed("migrate").stdout == "The database is up to date.\n"
    home = tmp_path / ".polyant"
    created = {str(path.relative_to(home)) for path in home.rglob("*") if not path.name.endswith(_BESIDE)}
    assert created == {"polyant.db", "keys", "keys/encryption.key", "keys/auth.secret", "initial-admin-password"}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["provider"] == "scripted"


def test_second_migration_changes_nothing(polyant: Polyant, home: Path) -> None:
    polyant.succeed("instances", "delete", "demo-bot", "--yes")
    keys = {path: path.read_text() for path in (home / "keys").iterdir()}
    assert polyant.succeed("migrate") == Done(0, "The database is up to date.\n", "")
    assert polyant.succeed("instances", "list", "--json").json["total"] == 0
    assert {path: path.read_text() for path in (home / "keys").iterdir()} == keys


def test_first_instance_uses_the_provider_whose_key_is_set(polyant: Polyant) -> None:
    polyant.succeed("migrate", OPENAI_API_KEY="sk-not-a-real-key")
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["provider"] == "openai"


def test_database_is_created_at_database_url(polyant: Polyant, tmp_path: Path) -> None:
    place = tmp_path / "my data"
    place.mkdir()
    polyant.succeed("migrate", DATABASE_URL=f"sqlite:///{tmp_path}/my%20data/bots.db")
    assert [path.name for path in place.iterdir() if "-" not in path.name] == ["bots.db"]
    assert {path.name for path in (tmp_path / ".polyant").iterdir()} == {"keys", "initial-admin-password"}
    assert polyant("instances", "list", DATABASE_URL=f"sqlite:///{tmp_path}/my%20data/bots.db").code == 0


def test_home_with_special_characters_works(polyant: Polyant, tmp_path: Path) -> None:
    polyant.succeed("migrate", POLYANT_HOME="50% of a home?")
    assert (tmp_path / "50% of a home?" / "polyant.db").is_file()
    assert polyant("instances", "show", "demo-bot", POLYANT_HOME="50% of a home?").code == 0
