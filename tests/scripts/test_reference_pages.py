import re
from pathlib import Path

import pytest

from polyant.cli.help import EXIT_CODES
from polyant.cli.main import build_parser, exit_code_of
from polyant.domain.errors import InvalidInputError
from polyant.settings import SettingsError, variables
from scripts.reference_pages import ROOT, commands, commands_markdown, pages, replace_between, settings_markdown


@pytest.mark.parametrize("path", sorted(pages()), ids=lambda path: path.name)
def test_page_is_up_to_date(path: Path) -> None:
    assert path.read_text() == pages()[path], "run `just docs`"


def test_every_variable_has_one_row_with_its_allowed_values() -> None:
    lines = settings_markdown().splitlines()
    for variable in variables().values():
        (row,) = [line for line in lines if line.startswith(f"| `{variable.name}` |")]
        assert f"| {variable.description} | {variable.allowed} |" in row


def test_variable_without_a_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.reference_pages.SETTING_GROUPS", {"Server": ("API_HOST",)})
    with pytest.raises(ValueError, match="API_PORT"):
        settings_markdown()


def test_every_command_has_a_section_with_all_its_options() -> None:
    sections = commands_markdown().split("\n## ")
    for name, _, parser in commands(build_parser()):
        (text,) = [section for section in sections if section.startswith(f"{name}\n")]
        for option in parser._option_string_actions:
            assert f"`{option}" in text or option in {"-h", "--help"}


def test_defaults_and_choices_are_in_the_last_column() -> None:
    text = commands_markdown()
    assert "| `--workers N` | number of worker processes | default: 1 |" in text
    assert (
        "| `--role` | role of the user; a superadmin also manages users | `user` or `superadmin`; default: user |"
        in text
    )


def test_exit_codes_are_those_of_the_program() -> None:
    assert EXIT_CODES[exit_code_of(SettingsError())].startswith("invalid settings")
    assert EXIT_CODES[exit_code_of(InvalidInputError("no"))].startswith("invalid usage")
    assert all(f"| {code} | {meaning} |" in commands_markdown() for code, meaning in EXIT_CODES.items())


def test_text_between_marks_is_replaced() -> None:
    page = "head\n<!-- a -->\nold\n<!-- /a -->\ntail\n"
    assert replace_between(page, "a", "new") == "head\n<!-- a -->\nnew\n<!-- /a -->\ntail\n"
    with pytest.raises(ValueError, match="<!-- b -->"):
        replace_between(page, "b", "new")


def test_commands_in_messages_templates_and_pages_exist() -> None:
    known = {name for name, _, _ in commands(build_parser())}
    groups = "|".join(sorted({name.split()[1] for name in known if len(name.split()) > 2}))
    command = re.compile(rf"\bpolyant (?:{groups}) [a-z][a-z-]+")
    source = ROOT / "src"
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *source.rglob("*.py"), *source.rglob("*.html")]
    named = [(page.name, found) for page in texts for found in command.findall(page.read_text())]
    assert len(named) > 100
    assert [(name, found) for name, found in named if found not in known] == []
