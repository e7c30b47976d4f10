import msgspec
import pytest

from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import check_instance
from polyant.domain.skills import (
    MAX_SKILL_BYTES,
    MAX_SKILL_FILE_BYTES,
    MAX_SKILL_FILES,
    MAX_SKILLS,
    Skill,
    SkillContent,
    SkillFile,
    packed,
    parse_skill_description,
    parse_skill_name,
    parse_skill_path,
    unpacked,
)
from polyant.testing.factories import InstanceFactory
from polyant.testing.skill_files import content_of_skill


def content(**changes: object) -> SkillContent:
    return msgspec.structs.replace(content_of_skill(), **changes)


@pytest.mark.parametrize("name", ["a", "pdf-tools", "x" * 64, "2-go"])
def test_valid_name_is_returned(name: str) -> None:
    assert parse_skill_name(name) == name


@pytest.mark.parametrize("name", ["", "Returns", "a_b", "-a", "a-", "a--b", "x" * 65, "a\n", "é", "a/b", ".."])
def test_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="The name of a skill must be 1 to 64 characters"):
        parse_skill_name(name)


def test_description_becomes_one_line() -> None:
    assert parse_skill_description("  How to\n  handle\treturns \u2028 and more") == "How to handle returns and more"
    assert len(parse_skill_description("x" * 1_024)) == 1_024


@pytest.mark.parametrize("text", ["", " \n", "x" * 1_025, "a\0b", "a\x1b[31mb", "a\ud800b"])
def test_invalid_description_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="must have 1 to 1,024 characters"):
        parse_skill_description(text)


@pytest.mark.parametrize("path", ["a.md", "a/b/c.txt", "with blank.md", "…/é.md", "sub/SKILL.md", "a..b", "x" * 200])
def test_valid_path_is_returned(path: str) -> None:
    assert parse_skill_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *("", "/etc/passwd", "../secret", "a/../../b", "a/./b", "..", ".", "a//b", "a/", "a\\..\\b", "C:\\x", "C:x"),
        *("a\0b", "a\nb", "a\x7f", "x" * 201, " a", "a /b", "a\ud800", 'a"', "a|b", "~/a:b", "a*"),
    ],
)
def test_hostile_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidInputError, match="The path of a file must be relative"):
        parse_skill_path(path)


@pytest.mark.parametrize("path", ["SKILL.md", "skill.MD"])
def test_instructions_are_no_other_file(path: str) -> None:
    with pytest.raises(InvalidInputError, match=r"SKILL\.md holds the instructions"):
        parse_skill_path(path)


def test_packed_skill_can_be_unpacked() -> None:
    skill, files = packed(content())
    assert unpacked(skill, reversed(files)) == content(files=tuple(sorted(content().files, key=lambda f: f.path)))
    assert skill.size == sum(file.size for file in files)
    assert packed(content(name="other", description="Other"))[0].digest == skill.digest
    assert packed(content(instructions="Other."))[0].digest != skill.digest
    assert packed(content(files=()))[0].digest != skill.digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"instructions": " \n"}, "The skill returns has no instructions"),
        ({"instructions": "a\0b"}, r"SKILL\.md of the skill returns must be text"),
        ({"instructions": "a\ud800"}, r"SKILL\.md of the skill returns must be text"),
        (
            {"instructions": "é" * 32_769},
            r"SKILL\.md of the skill returns has 65,538 bytes, but can have at most 65,536",
        ),
        ({"files": (SkillFile(path="a", content="x" * 65_537),)}, "a of the skill returns has 65,537 bytes"),
        ({"files": (SkillFile(path="a", content=""),) * 2}, "must have different paths"),
        ({"files": (SkillFile(path="../a", content=""),)}, "must be relative"),
        (
            {"files": tuple(SkillFile(path=f"{n}", content="") for n in range(MAX_SKILL_FILES))},
            "has 129 files, but can have at most 128",
        ),
        (
            {"files": tuple(SkillFile(path=f"{n}", content="x" * MAX_SKILL_FILE_BYTES) for n in range(16))},
            "have 1,048,.* bytes together, but can have at most 1,048,576",
        ),
    ],
)
def test_invalid_content_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        packed(content(**changes))


def test_largest_skill_is_valid() -> None:
    files = tuple(SkillFile(path=f"{n}", content="x" * MAX_SKILL_FILE_BYTES) for n in range(15))
    skill, _ = packed(content(instructions="x" * MAX_SKILL_FILE_BYTES, files=files))
    assert skill.size == MAX_SKILL_BYTES


@pytest.mark.parametrize(
    ("path", "text", "is_script"),
    [
        ("scripts/run.py", "", True),
        ("RUN.SH", "", True),
        ("tool", "#!/bin/sh\n", True),
        ("notes.md", "# !", False),
        ("data.json", "{}", False),
    ],
)
def test_scripts_are_recognised(path: str, text: str, *, is_script: bool) -> None:
    assert SkillFile(path=path, content=text).is_script is is_script


@pytest.mark.parametrize(
    ("skills", "message"),
    [
        ([("Bad", "x")], "The name of a skill"),
        ([("a", "")], "The description of a skill"),
        ([("a", "two\nlines")], "The description of the skill a must be one line"),
        ([("a", "x"), ("a", "y")], "must have unique names"),
        ([(f"s-{number}", "x") for number in range(MAX_SKILLS + 1)], "can have at most 64 skills"),
    ],
)
def test_invalid_list_of_skills_is_refused(skills: list[tuple[str, str]], message: str) -> None:
    listed = tuple(Skill(name=name, description=description, digest="d", size=1) for name, description in skills)
    with pytest.raises(InvalidInputError, match=message):
        check_instance(InstanceFactory.build(skills=listed))
