import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.errors import InvalidInputError
from polyant.domain.prompts import (
    CALLER_HEADING,
    SECTION_MOST_CHARACTERS,
    SECTION_TITLES,
    SectionKey,
    check_section,
    compose_system_prompt,
    default_sections,
    parse_section_key,
)

VARIABLES = {
    "toolCatalog": "- calculate",
    "skillsList": "- sailing",
    "datetime": "Sunday, November 22, 2026 at 10:44 AM",
    "timezone": "Europe/Rome",
}
PLACES = {
    "toolCatalog": SectionKey.TOOLING,
    "skillsList": SectionKey.SKILLS,
    "datetime": SectionKey.DATETIME,
    "timezone": SectionKey.DATETIME,
}

plain = st.text(st.characters(exclude_characters="{}"), max_size=30)


class TestComposition:
    def test_sections_stand_in_their_order_whatever_order_they_come_in(self) -> None:
        sections = {key: str(key) for key in reversed(SectionKey)}
        assert compose_system_prompt(sections, {}) == (
            "01-identity\n\n---\n\n02-soul\n\n---\n\n03-tooling\n\n---\n\n04-safety\n\n---\n\n"
            "05-skills\n\n---\n\n06-memory\n\n---\n\n07-user-identity\n\n---\n\n08-datetime"
        )

    def test_sections_are_trimmed_and_empty_ones_left_out(self) -> None:
        sections = {SectionKey.IDENTITY: "\n  You are Ada. \n", SectionKey.SOUL: " \n\t", SectionKey.SAFETY: "Be safe."}
        assert compose_system_prompt(sections, {}) == "You are Ada.\n\n---\n\nBe safe."

    def test_section_that_a_variable_leaves_empty_is_left_out(self) -> None:
        sections = {SectionKey.IDENTITY: "You are Ada.", SectionKey.SKILLS: "{{skillsList}}"}
        assert compose_system_prompt(sections, {"skillsList": "\n"}) == "You are Ada."

    def test_no_sections_make_no_text(self) -> None:
        assert compose_system_prompt({}, VARIABLES) == ""
        assert compose_system_prompt({}, VARIABLES, ["", " \n"]) == ""

    @given(st.dictionaries(st.sampled_from(SectionKey), plain), st.lists(plain, max_size=3))
    def test_prompt_is_the_texts_that_say_something_and_nothing_else(
        self, sections: dict[SectionKey, str], theirs: list[str]
    ) -> None:
        expected = [sections[key].strip() for key in SectionKey if sections.get(key, "").strip()]
        caller = "\n\n".join(text.strip() for text in theirs if text.strip())
        if caller:
            expected.append(f"{CALLER_HEADING}\n\n{caller}")
        assert compose_system_prompt(sections, VARIABLES, theirs) == "\n\n---\n\n".join(expected)


class TestVariables:
    def test_variables_are_replaced_where_they_belong_each_time_they_stand(self) -> None:
        sections = {SectionKey.DATETIME: "{{datetime}}|{{timezone}}|{{datetime}}"}
        now = VARIABLES["datetime"]
        assert compose_system_prompt(sections, VARIABLES) == f"{now}|Europe/Rome|{now}"

    @pytest.mark.parametrize("name", VARIABLES)
    @pytest.mark.parametrize("key", SectionKey)
    def test_variable_is_replaced_in_its_own_section_only(self, key: SectionKey, name: str) -> None:
        text = f"<{{{{{name}}}}}>"
        expected = f"<{VARIABLES[name]}>" if PLACES[name] is key else text
        assert compose_system_prompt({key: text}, VARIABLES) == expected

    @pytest.mark.parametrize(
        "text", ["{{unknown}}", "{{ datetime }}", "{{Datetime}}", "{{}}", "{datetime}", "{{datetime}"]
    )
    def test_what_is_no_known_variable_stays_as_it_is(self, text: str) -> None:
        assert compose_system_prompt({SectionKey.DATETIME: text}, VARIABLES) == text

    def test_known_variable_without_a_value_stays_as_it_is(self) -> None:
        assert compose_system_prompt({SectionKey.TOOLING: "{{toolCatalog}}"}, {}) == "{{toolCatalog}}"

    @given(st.text(max_size=30).filter(lambda text: text == text.strip()))
    def test_what_a_value_contains_is_not_replaced_again(self, value: str) -> None:
        value = f"{value}{{{{timezone}}}}{{{{datetime}}}}\\1"
        sections = {SectionKey.DATETIME: "{{datetime}}"}
        assert compose_system_prompt(sections, {"datetime": value, "timezone": "UTC"}) == value


class TestCallerInstructions:
    def test_they_come_last_in_order_under_a_heading_that_says_whose_they_are(self) -> None:
        prompt = compose_system_prompt({SectionKey.DATETIME: "Now."}, {}, [" First. ", "", "Second.\n"])
        assert prompt == f"Now.\n\n---\n\n{CALLER_HEADING}\n\nFirst.\n\nSecond."
        assert "caller" in CALLER_HEADING
        assert "does not override" in CALLER_HEADING

    def test_they_are_not_searched_for_variables(self) -> None:
        assert compose_system_prompt({}, VARIABLES, ["{{datetime}}"]).endswith("\n\n{{datetime}}")

    def test_without_any_there_is_no_heading(self) -> None:
        assert CALLER_HEADING not in compose_system_prompt({SectionKey.SOUL: "Kind."}, {}, ["", "  "])


class TestSections:
    def test_there_are_eight_each_with_a_title(self) -> None:
        assert len(SectionKey) == len(SECTION_TITLES) == 8
        assert list(SectionKey) == sorted(SectionKey)

    def test_defaults_are_for_all_sections_and_acceptable(self) -> None:
        sections = default_sections("Ada")
        assert set(sections) == set(SectionKey)
        assert all(check_section(key, content) == content for key, content in sections.items())

    def test_defaults_use_every_variable_that_would_be_missed(self) -> None:
        prompt = compose_system_prompt(default_sections("Ada"), VARIABLES)
        assert "You are Ada" in prompt
        assert "- calculate" in prompt
        assert VARIABLES["datetime"] in prompt
        assert "{{" not in prompt

    @pytest.mark.parametrize("key", SectionKey)
    def test_section_is_found_by_its_name(self, key: SectionKey) -> None:
        assert parse_section_key(key.value) is key

    @pytest.mark.parametrize("text", ["", "identity", "01-Identity", "09-other", "01-identity\n"])
    def test_unknown_section_is_refused_with_a_list_of_those_there_are(self, text: str) -> None:
        with pytest.raises(InvalidInputError, match=r"01-identity, 02-soul, .*, 08-datetime"):
            parse_section_key(text)

    def test_longest_section_is_accepted(self) -> None:
        assert check_section(SectionKey.SOUL, "a" * SECTION_MOST_CHARACTERS)

    @pytest.mark.parametrize("content", ["a" * (SECTION_MOST_CHARACTERS + 1), "a\0b", "half \ud83d"])
    def test_section_that_is_too_long_or_cannot_be_stored_is_refused(self, content: str) -> None:
        with pytest.raises(InvalidInputError, match="Section 02-soul must have at most 32768 characters"):
            check_section(SectionKey.SOUL, content)
