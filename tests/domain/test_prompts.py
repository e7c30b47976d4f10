import pytest

from polyant.domain.errors import InvalidInputError
from polyant.domain.prompts import (
    MAX_SECTION_CHARACTERS,
    SECTION_TITLES,
    SectionKey,
    check_section,
    default_sections,
)


def test_eight_sections_have_a_title() -> None:
    assert len(SectionKey) == len(SECTION_TITLES) == 8
    assert list(SectionKey) == sorted(SectionKey)


def test_every_section_has_a_valid_default() -> None:
    sections = default_sections("Ada")
    assert set(sections) == set(SectionKey)
    assert all(check_section(key, content) == content for key, content in sections.items())


def test_longest_section_is_accepted() -> None:
    assert check_section(SectionKey.SOUL, "a" * MAX_SECTION_CHARACTERS)


@pytest.mark.parametrize("content", ["a" * (MAX_SECTION_CHARACTERS + 1), "a\0b", "half \ud83d"])
def test_overlong_or_unstorable_section_is_refused(content: str) -> None:
    with pytest.raises(InvalidInputError, match="Section 02-soul must have at most 32768 characters"):
        check_section(SectionKey.SOUL, content)
