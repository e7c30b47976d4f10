import pytest

from polyant.adapters.agent_skills.front_matter import SkillText, parse_skill_text
from polyant.domain.errors import InvalidInputError


def test_fields_and_instructions_are_separated() -> None:
    text = (
        "---\nname: returns\ndescription: >\n  How to\n  handle returns\nlicense: MIT\n---\n\n# Returns\n\n---\n\nEnd\n"
    )
    assert parse_skill_text(text) == SkillText(
        name="returns", description="How to handle returns\n", instructions="# Returns\n\n---\n\nEnd\n"
    )


@pytest.mark.parametrize("text", ["", "# Returns\n", "--- not front matter", "----\na\n", "\n---\nname: a\n---\n"])
def test_text_without_front_matter_is_all_instructions(text: str) -> None:
    assert parse_skill_text(text) == SkillText(instructions=text)


def test_windows_line_ends_and_a_byte_order_mark_are_accepted() -> None:
    assert parse_skill_text("\ufeff---\r\nname: a\r\n---\r\nDo\r\nit\r\n") == SkillText(
        name="a", instructions="Do\nit\n"
    )


@pytest.mark.parametrize("text", ["---\n---\nDo it.", "---\n# a comment\n---\nDo it."])
def test_empty_front_matter_has_no_fields(text: str) -> None:
    assert parse_skill_text(text) == SkillText(instructions="Do it.")


BOMB = "\n".join(
    [
        "a: &a [x]",
        *(f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)),
    ]
)


@pytest.mark.parametrize(
    ("front_matter", "message"),
    [
        ("name: [", r"not valid YAML in line \d"),
        ("description: Use: this", "not valid YAML in line 2; put texts with `: ` or `#` in quotes"),
        ("name: !!python/object/apply:os.system [id]", "not valid YAML in line 2"),
        ("name: !!python/name:os.system", "not valid YAML"),
        ("name: \x07", "not valid YAML"),
        ("- a\n- b", "must be a mapping"),
        ("returns", "must be a mapping"),
        ("name: 5", "The name in the front matter of SKILL.md must be text: put it in quotes"),
        ("name: 2026-02-30", "not valid YAML"),
        ("description: [a]", "The description in the front matter of SKILL.md must be text"),
        (BOMB, "must not have anchors and aliases"),
        ("a: &a 1", "must not have anchors and aliases"),
        ("a: " + "[" * 16_000, "is nested more than 100 levels deep"),
        ("a:\n" + "- " * 101, "is nested more than 100 levels deep"),
        ("a: " + "[" * 99, "not valid YAML"),
        ("a: " + "x" * 16_384, "has more than 16,384 characters"),
    ],
)
def test_invalid_front_matter_is_refused(front_matter: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse_skill_text(f"---\n{front_matter}\n---\nDo it.")


def test_nested_front_matter_is_read() -> None:
    deep = "[" * 99 + "]" * 99
    assert parse_skill_text(f"---\nname: a\nlists: {deep}\nmore: {deep}\n---\nDo it.").name == "a"


def test_front_matter_without_end_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="has no end: add a line `---`"):
        parse_skill_text("---\nname: a\n\nDo it.")
