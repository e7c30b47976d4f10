"""Folders in the Agent Skills format, harmless and hostile."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from polyant.adapters.agent_skills.folder import read_skill_folder
from polyant.domain.errors import InvalidInputError
from polyant.domain.skills import SkillContent, SkillFile

SKILL = "---\nname: returns\ndescription: How returns work\n---\n# Returns\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "returns"
    path.mkdir()
    (path / "SKILL.md").write_text(SKILL)
    return path


def write(folder: Path, path: str, content: bytes = b"x") -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def test_skill_is_read_with_its_files(folder: Path) -> None:
    write(folder, "scripts/run.py", b"print(1)\n")
    write(folder, "reference/deep/tables.md", "\ufeffé\r\n".encode())
    found = read_skill_folder(folder)
    assert found.skipped == ()
    assert found.content == SkillContent(
        name="returns",
        description="How returns work",
        instructions="# Returns\n",
        files=(
            SkillFile(path="reference/deep/tables.md", content="é\r\n"),
            SkillFile(path="scripts/run.py", content="print(1)\n"),
        ),
    )


def test_hidden_and_binary_files_are_left_out(folder: Path) -> None:
    for path, content in (
        (".git/config", b"[core]"),
        (".DS_Store", b"\0\1"),
        ("logo.png", b"\x89PNG\r\n\x1a\n\0"),
        ("large.bin", b"\xff" * 200_000),
        ("zeros", b"\0" * 10),
        ("kept.md", b"kept"),
    ):
        write(folder, path, content)
    (folder / ".hidden-link").symlink_to("/etc/passwd")
    found = read_skill_folder(folder)
    assert [file.path for file in found.content.files] == ["kept.md"]
    assert sorted(found.skipped) == [".DS_Store", ".git", ".hidden-link", "large.bin", "logo.png", "zeros"]


def test_folder_may_be_reached_through_a_link(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert read_skill_folder(link).content.name == "returns"


def _link_to_file(folder: Path) -> None:
    (folder / "notes.md").symlink_to("/etc/passwd")


def _link_to_folder(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep/etc").symlink_to("/etc")


def _link_as_instructions(folder: Path) -> None:
    (folder / "SKILL.md").rename(folder.parent / "outside.md")
    (folder / "SKILL.md").symlink_to("../outside.md")


def _loop(folder: Path) -> None:
    (folder / "again").symlink_to(".")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def _huge_multibyte(folder: Path) -> None:
    write(folder, "huge.md", b"x" + "é".encode() * 40_000)


def _too_large(folder: Path) -> None:
    for number in range(17):
        write(folder, f"{number}.md", b"x" * 65_536)


def _too_many_files(folder: Path) -> None:
    for number in range(129):
        write(folder, f"{number}.md")


def _too_many_entries(folder: Path) -> None:
    for number in range(2_001):
        (folder / f"{number}").mkdir()


def _too_deep(folder: Path) -> None:
    write(folder, "/".join("abcdefghij") + "/x.md")


def _backslashes(folder: Path) -> None:
    write(folder, "sub\\..\\evil.md")


def _control_characters(folder: Path) -> None:
    write(folder, "a\x1b[31m\n.md")


def _not_utf8_name(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.md")).write_text("x")


def _second_instructions(folder: Path) -> None:
    write(folder, "skill.md", b"x")


def _no_instructions(folder: Path) -> None:
    (folder / "SKILL.md").unlink()


def _no_name(folder: Path) -> None:
    (folder / "SKILL.md").write_text("---\ndescription: x\n---\nDo it.")


def _no_front_matter(folder: Path) -> None:
    (folder / "SKILL.md").write_text("Do it.")


def _no_description(folder: Path) -> None:
    (folder / "SKILL.md").write_text("---\nname: a\n---\nDo it.")


def _bad_name(folder: Path) -> None:
    (folder / "SKILL.md").write_text("---\nname: ../../etc\ndescription: x\n---\nDo it.")


def _binary_instructions(folder: Path) -> None:
    (folder / "SKILL.md").write_bytes(b"\xff\xfe")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_link_to_file, r"notes\.md is a symbolic link"),
        (_link_to_folder, "deep/etc is a symbolic link"),
        (_link_as_instructions, r"SKILL\.md is a symbolic link"),
        (_loop, "again is a symbolic link"),
        (_pipe, "pipe is not a regular file"),
        (_huge_multibyte, r"huge\.md has more than 65,536 bytes"),
        (_too_large, "1,048,576 bytes together"),
        (_too_many_files, "at most 128 files"),
        (_too_many_entries, "more than 2,000 files and folders"),
        (_too_deep, "more than 8 folders deep"),
        (_backslashes, "must be relative"),
        (_control_characters, r"must be relative.*a\\x1b\[31m\\n\.md"),
        (_not_utf8_name, "must be relative"),
        (_second_instructions, "can't be another file, too"),
        (_no_instructions, r"has no SKILL\.md"),
        (_binary_instructions, r"has no SKILL\.md"),
        (_no_name, "must have a name"),
        (_no_front_matter, "must have a name"),
        (_no_description, "must have a description"),
        (_bad_name, "The name of a skill must be"),
    ],
)
def test_hostile_folder_is_refused(folder: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(folder)
    with pytest.raises(InvalidInputError, match=message):
        read_skill_folder(folder)


def test_huge_file_is_not_read_whole(folder: Path) -> None:
    """A sparse file of a terabyte begins with U+0000, so it isn't text."""
    with (folder / "huge.md").open("wb") as file:
        file.truncate(2**40)
    assert read_skill_folder(folder).skipped == ("huge.md",)


def test_file_is_not_a_folder(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "SKILL.md", tmp_path / "nothing"):
        with pytest.raises(InvalidInputError, match="is not a folder"):
            read_skill_folder(path)
