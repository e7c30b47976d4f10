import os
import pty
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.domain.instances import Instance
from support.commands import Done, Polyant
from support.patience import PATIENCE
from support.process import POLYANT, environment, run_polyant

NEW, NEWER = "a" * 64, "b" * 64


@pytest.fixture(scope="session")
def filled_home(fresh_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template of data: three instances with a secret each, and a fourth with an API key."""
    folder = tmp_path_factory.mktemp("filled")
    home = shutil.copytree(fresh_home, folder / ".polyant")
    commands: list[tuple[str, ...]] = [("keys", "issue", "demo-bot")]
    for slug in ("first", "second", "third"):
        commands += [("instances", "create", slug), ("secrets", "set", slug, "openai_api_key")]
    for command in commands:
        done = run_polyant(folder, *command, given=f"sk-of-{command[2]}")
        assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def data(filled_home: Path, tmp_path: Path) -> Path:
    """A copy of the template, where commands look for it."""
    return shutil.copytree(filled_home, tmp_path / ".polyant")


def keys_of(home: Path) -> list[str]:
    files = (home / "keys" / "encryption.key", home / "keys" / "encryption.previous")
    return [line for file in files if file.exists() for line in file.read_text().split()]


def key_ids_of(home: Path) -> set[str]:
    """Returns the ids of the keys with which the stored values are encrypted."""
    with sqlite3.connect(home / "polyant.db") as database:
        forms = database.execute("SELECT sealed FROM instance_secrets UNION SELECT sealed FROM encryption_check")
        found = {sealed.split(".")[1] for (sealed,) in forms}
    database.close()
    return found


def tamper(home: Path, slug: str) -> None:
    with sqlite3.connect(home / "polyant.db") as database:
        database.execute(
            "UPDATE instance_secrets SET sealed = sealed || 'AAAA' WHERE instance = "
            "(SELECT id FROM instances WHERE slug = ?)",
            [slug],
        )
    database.close()


def older_keys(polyant: Polyant, **variables: str) -> tuple[str, str]:
    """Returns the doctor's finding about older encryption keys."""
    findings = polyant("doctor", "--json", **variables).json["findings"]
    [(state, message)] = [
        (f["state"], ". ".join(filter(None, (f["says"], f["fix"]))))
        for f in findings
        if f["about"] == "older encryption keys"
    ]
    return state, message


def interrupt_after(saves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulates Ctrl-C after that many instances were saved."""
    save, left = PiccoloInstanceRepo.save, saves

    async def interrupted(*save_what: Any, **options: Any) -> Instance:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        return await save(*save_what, **options)

    monkeypatch.setattr(PiccoloInstanceRepo, "save", interrupted)


# With key files


def test_key_file_is_replaced_and_all_secrets_are_re_encrypted(polyant: Polyant, data: Path) -> None:
    (old,), old_ids = keys_of(data), key_ids_of(data)
    done = polyant.succeed("keys", "rotate-master")
    assert done.stdout.splitlines() == [
        "Re-encrypted 4 secrets of 4 instances; 0 could not be decrypted.",
        (
            "Remove .polyant/keys/encryption.previous once `polyant doctor` reports that no secret needs it; "
            "keep a copy with older backups."
        ),
    ]
    assert done.stderr == ""
    new, *older = keys_of(data)
    assert older == [old]
    assert len(key_ids_of(data)) == 1
    assert key_ids_of(data) != old_ids
    assert not {new, old} & set(done.stdout.split())


def test_only_the_new_key_works_after_the_rotation(polyant: Polyant, data: Path) -> None:
    (old,) = keys_of(data)
    polyant.succeed("keys", "rotate-master")
    (data / "keys" / "encryption.previous").unlink()
    polyant.succeed("secrets", "set", "first", "another", given="value")
    assert "fault" not in polyant.succeed("doctor").stdout
    refused = polyant("instances", "list", ENCRYPTION_KEY=old)
    assert refused.code == 3
    assert refused.stderr.startswith("polyant: The master key is not the key that encrypted the stored secrets")


def test_json_output_contains_the_counts(polyant: Polyant, data: Path) -> None:
    assert polyant.succeed("keys", "rotate-master", "--json").json == {
        "secrets": 4,
        "instances": 4,
        "unreadable": [],
        "dataKeys": 0,
        "unreadableDataKeys": 0,
    }


def test_two_consecutive_rotations_succeed(polyant: Polyant, data: Path) -> None:
    polyant.succeed("keys", "rotate-master")
    first = keys_of(data)
    polyant.succeed("keys", "rotate-master")
    assert keys_of(data)[1:] == first
    assert len(key_ids_of(data)) == 1
    assert older_keys(polyant)[0] == "ok"


@pytest.mark.parametrize("saves", [0, 2])
def test_interrupted_rotation_resumes_with_the_same_key(
    polyant: Polyant, data: Path, monkeypatch: pytest.MonkeyPatch, saves: int
) -> None:
    (old,) = keys_of(data)
    interrupt_after(saves, monkeypatch)
    assert polyant("keys", "rotate-master") == Done(
        130, "", "polyant: not finished: run `polyant keys rotate-master` again to resume\n"
    )
    monkeypatch.undo()
    monkeypatch.chdir(data.parent)
    new, *older = keys_of(data)
    assert older == [old]
    assert older_keys(polyant) == (
        "warning",
        f"{4 - saves} secrets of {4 - saves} instances need one. Run `polyant keys rotate-master`",
    )
    assert polyant("instances", "list", ENCRYPTION_KEY=old).code == 3
    alone = polyant("instances", "list", ENCRYPTION_KEY=new)
    assert alone.code == 3
    assert "not every stored secret is encrypted with the new one" in alone.stderr
    assert polyant.succeed("keys", "rotate-master", "--json").json["instances"] == 4 - saves
    assert keys_of(data) == [new, old]
    assert older_keys(polyant)[0] == "ok"
    polyant.succeed("instances", "list", ENCRYPTION_KEY=new)


def test_doctor_reports_a_rotation_interrupted_before_the_first_secret(
    polyant: Polyant, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = home / "keys"
    (keys / "encryption.previous").write_text((keys / "encryption.key").read_text())
    (keys / "encryption.previous").chmod(0o600)
    (keys / "encryption.key").write_text(NEW)
    assert older_keys(polyant) == (
        "warning",
        "a key rotation is unfinished. Run `polyant keys rotate-master`",
    )
    assert polyant.succeed("keys", "rotate-master", "--json").json["secrets"] == 0
    assert keys_of(home)[0] == NEW
    assert older_keys(polyant)[0] == "ok"


def test_unreadable_secret_is_reported_and_does_not_stop_the_rotation(polyant: Polyant, data: Path) -> None:
    tamper(data, "second")
    done = polyant("keys", "rotate-master")
    assert done.code == 1
    assert done.stdout.startswith("Re-encrypted 3 secrets of 3 instances; 1 could not be decrypted.\n")
    assert done.stderr == (
        "polyant: no key decrypts the secret openai_api_key of instance 'second': "
        "set it again (polyant secrets set second openai_api_key) or provide the key that encrypted it\n"
    )
    assert polyant("keys", "rotate-master", "--json").json["unreadable"] == [
        {"instance": "second", "name": "openai_api_key"}
    ]
    polyant.succeed("secrets", "set", "second", "openai_api_key", given="sk-once-more")
    polyant.succeed("keys", "rotate-master")


def test_older_keys_accessible_to_others_are_a_warning(polyant: Polyant, data: Path) -> None:
    polyant.succeed("keys", "rotate-master")
    assert "warning" not in polyant("doctor").stdout
    (data / "keys" / "encryption.previous").chmod(0o640)
    assert "warning  files: other users can access encryption.previous" in polyant("doctor").stdout


def test_progress_is_shown_on_a_terminal(polyant: Polyant, data: Path) -> None:
    terminal, side = pty.openpty()
    done = subprocess.run(
        [*POLYANT, "keys", "rotate-master"],
        cwd=data.parent,
        env=environment(data.parent),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=side,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    drawn = os.read(terminal, 10_000).decode()
    os.close(side)
    os.close(terminal)
    assert done.stdout.startswith("Re-encrypted 4 secrets")
    first, second, rest = drawn.split("\r\n")
    assert first.split("\r")[1] == f"Round 1 [{'.' * 30}] 0/4 instances"
    assert first.split("\r")[-1] == f"Round 1 [{'#' * 30}] 4/4 instances"
    assert second.endswith(f"Round 2 [{'#' * 30}] 4/4 instances")
    assert rest == ""


# With keys from the environment


def test_environment_without_an_older_key_gets_instructions(polyant: Polyant, data: Path) -> None:
    (key,) = keys_of(data)
    before = key_ids_of(data)
    refused = polyant("keys", "rotate-master", ENCRYPTION_KEY=key)
    assert refused.code == 3
    lines = refused.stderr.splitlines()
    assert [line.split()[1] for line in lines] == ["All", "1.", "2.", "3.", "4."]
    assert "set ENCRYPTION_KEY to the new key and ENCRYPTION_KEY_PREVIOUS to the old one" in refused.stderr
    assert key not in refused.stderr
    assert (keys_of(data), key_ids_of(data)) == ([key], before)


def test_new_key_in_the_environment_replaces_the_previous_one(polyant: Polyant, data: Path) -> None:
    (old,) = keys_of(data)
    both = {"ENCRYPTION_KEY": NEW, "ENCRYPTION_KEY_PREVIOUS": old}
    assert older_keys(polyant, **both)[0] == "warning"
    done = polyant.succeed("keys", "rotate-master", **both)
    assert done.stdout.startswith("Re-encrypted 4 secrets of 4 instances")
    assert older_keys(polyant, **both) == (
        "ok",
        "no secret needs one: you can remove ENCRYPTION_KEY_PREVIOUS; keep a copy with older backups",
    )
    assert keys_of(data) == [old]
    assert older_keys(polyant, ENCRYPTION_KEY=NEW) == ("ok", "no secret needs one")
    again = polyant.succeed("keys", "rotate-master", **both)
    assert again.stdout.startswith("Re-encrypted 0 secrets of 0 instances; 0 could not be decrypted.\n")


def test_new_key_without_the_previous_one_is_rejected(polyant: Polyant, data: Path) -> None:
    refused = polyant("keys", "rotate-master", ENCRYPTION_KEY=NEW)
    assert refused.code == 3
    assert "set ENCRYPTION_KEY_PREVIOUS to the old one" in refused.stderr


def test_several_older_keys_are_accepted(polyant: Polyant, data: Path) -> None:
    (old,) = keys_of(data)
    polyant.succeed("secrets", "set", "first", "another", given="v", ENCRYPTION_KEY=NEW, ENCRYPTION_KEY_PREVIOUS=old)
    done = polyant.succeed(
        "keys", "rotate-master", "--json", ENCRYPTION_KEY=NEWER, ENCRYPTION_KEY_PREVIOUS=f"{NEW},{old}"
    )
    assert done.json["secrets"] == 5
    polyant.succeed("instances", "list", ENCRYPTION_KEY=NEWER)
