from pathlib import Path

import pytest

from support.backups import PASSPHRASE
from support.commands import Polyant

SKILL = "---\nname: returns\ndescription: How returns work\n---\n# Returns\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "anything"
    (path / "scripts").mkdir(parents=True)
    (path / "SKILL.md").write_text(SKILL)
    (path / "scripts/run.py").write_text("print(1)\n")
    (path / "logo.png").write_bytes(b"\x89PNG\0")
    return path


def test_skill_is_set_listed_shown_and_deleted(polyant: Polyant, home: Path) -> None:
    stored = polyant.succeed("skills", "set", "demo-bot", "returns", "--description", "How\nreturns work", given="Ask.")
    assert stored.stdout == "Set the skill returns of demo-bot (4 bytes).\n"
    assert polyant.succeed("skills", "list", "demo-bot", "--json").json == {
        "skills": [{"name": "returns", "description": "How returns work", "size": 4}]
    }
    head, row = polyant.succeed("skills", "list", "demo-bot").stdout.splitlines()
    assert (head.split(), row.split()) == (["NAME", "BYTES", "DESCRIPTION"], ["returns", "4", "How", "returns", "work"])
    assert polyant.succeed("skills", "show", "demo-bot", "returns").stdout == "Ask.\n"
    assert polyant.succeed("instances", "show", "demo-bot", "--json").json["skills"] == ["returns"]
    assert "skills       returns\n" in polyant.succeed("instances", "show", "demo-bot").stdout
    assert "Deleted the skill returns" in polyant.succeed("skills", "delete", "demo-bot", "returns").stdout
    assert polyant("skills", "delete", "demo-bot", "returns").code == 4
    assert polyant.succeed("skills", "list", "demo-bot", "--json").json == {"skills": []}


def test_folder_is_imported(polyant: Polyant, home: Path, folder: Path) -> None:
    done = polyant.succeed("skills", "import", "demo-bot", str(folder))
    assert done.stdout == "Set the skill returns of demo-bot (19 bytes).\n"
    assert done.stderr == "polyant: Left out logo.png: hidden, or not text in UTF-8\n"
    assert polyant.succeed("skills", "import", "demo-bot", str(folder), "--json").json["skipped"] == ["logo.png"]
    shown = polyant.succeed("skills", "show", "demo-bot", "returns")
    assert (shown.stdout, shown.stderr) == ("# Returns\n", "polyant: Other files, see --file: scripts/run.py\n")
    script = ("skills", "show", "demo-bot", "returns", "--file", "scripts/run.py")
    assert polyant.succeed(*script).stdout == "print(1)\n"
    assert polyant.succeed("skills", "show", "demo-bot", "returns", "--json").json["files"] == [
        {"path": "scripts/run.py", "content": "print(1)\n", "script": True}
    ]
    missing = polyant("skills", "show", "demo-bot", "returns", "--file", "x\x1b[31m")
    assert missing.code == 4
    assert missing.stderr == "polyant: The skill returns has no file x\\x1b[31m. It has: scripts/run.py\n"


def test_set_keeps_other_files_and_reads_front_matter(polyant: Polyant, home: Path, folder: Path) -> None:
    polyant.succeed("skills", "import", "demo-bot", str(folder))
    polyant.succeed("skills", "set", "demo-bot", "returns", given=SKILL.replace("work", "go").replace("# R", "# New r"))
    shown = polyant.succeed("skills", "show", "demo-bot", "returns", "--json").json
    assert (shown["description"], shown["instructions"]) == ("How returns go", "# New returns\n")
    assert len(shown["files"]) == 1
    polyant.succeed("skills", "set", "demo-bot", "returns", given="Only instructions")
    assert polyant.succeed("skills", "show", "demo-bot", "returns", "--json").json["description"] == "How returns go"


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("returns", b"\xff\xfe", "must be text in UTF-8"),
        ("returns", b"x" * 65_537, "can have at most 65,536 bytes"),
        ("returns", b"", "needs a description"),
        ("returns", b"Do it.", "The skill returns is new and needs a description"),
        ("other", SKILL.encode(), "The front matter has another name: returns"),
        ("Returns", b"---\ndescription: x\n---\nDo it.", "The name of a skill must be"),
        ("returns", b"---\nname: [\n---\nDo it.", "not valid YAML"),
    ],
)
def test_invalid_skill_is_a_usage_error(polyant: Polyant, home: Path, name: str, given: bytes, message: str) -> None:
    done = polyant("skills", "set", "demo-bot", name, given=given)
    assert (done.code, message in done.stderr) == (2, True), done.stderr
    assert polyant.succeed("skills", "list", "demo-bot", "--json").json == {"skills": []}


def test_hostile_folder_is_a_usage_error(polyant: Polyant, home: Path, folder: Path) -> None:
    (folder / "passwd").symlink_to("/etc/passwd")
    done = polyant("skills", "import", "demo-bot", str(folder))
    assert (done.code, done.stderr) == (2, "polyant: passwd is a symbolic link, which a skill must not contain\n")
    assert polyant.succeed("skills", "list", "demo-bot", "--json").json == {"skills": []}


def test_unknown_instance_and_skill_are_not_found(polyant: Polyant, home: Path, folder: Path) -> None:
    assert polyant("skills", "list", "nobody").code == 4
    assert polyant("skills", "import", "nobody", str(folder)).code == 4
    assert polyant("skills", "show", "demo-bot", "nothing").code == 4


def test_backup_and_restore_include_skills(polyant: Polyant, home: Path, folder: Path, tmp_path: Path) -> None:
    polyant.succeed("skills", "import", "demo-bot", str(folder))
    file, elsewhere = str(tmp_path / "backup"), {"POLYANT_HOME": str(tmp_path / "elsewhere")}
    polyant.succeed("backup", file, given=PASSPHRASE)
    polyant.succeed("restore", file, given=PASSPHRASE, **elsewhere)
    shown = ("skills", "show", "demo-bot", "returns", "--json")
    assert polyant.succeed(*shown, **elsewhere).json == polyant.succeed(*shown).json
