from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.adapters.system.date_time_formatter import SystemDateTimeFormatter
from polyant.domain.chat import ToolSpec
from polyant.domain.ports.date_time_formatter import DateTimeFormatter
from polyant.domain.prompts import SectionKey, default_sections
from polyant.domain.system_prompt import CALLER_HEADING, SystemPromptComposer
from polyant.testing.factories import InstanceFactory
from polyant.testing.manual_clock import ManualClock

NOW = "Sunday, November 22, 2026 at 10:44 AM"
TODAY = "Sunday, November 22, 2026"
VALUES = {"toolCatalog": "- find: Finds.", "skillsList": "(none)", "datetime": NOW, "date": TODAY, "timezone": "UTC"}
PLACES = {
    "toolCatalog": SectionKey.TOOLING,
    "skillsList": SectionKey.SKILLS,
    "datetime": SectionKey.DATETIME,
    "date": SectionKey.DATETIME,
    "timezone": SectionKey.DATETIME,
}
FIND = ToolSpec(name="find", description="Finds.", parameters=msgspec.Raw(b"{}"))
IN_UTC = SystemDateTimeFormatter(timezone="UTC", locale="en-US")

plain = st.text(st.characters(exclude_characters="{}"), max_size=30)


class FixedWords(DateTimeFormatter):
    """A formatter that describes every moment with the same words."""

    def __init__(self, words: str) -> None:
        self._words = words

    def describe(self, moment: datetime) -> str:
        return self._words

    def describe_date(self, moment: datetime) -> str:
        return self._words

    def timezone_name(self) -> str:
        return "UTC"


def compose(
    sections: Mapping[SectionKey, str],
    caller_instructions: Sequence[str] = (),
    *,
    tools: Sequence[ToolSpec] = (FIND,),
    formatter: DateTimeFormatter = IN_UTC,
) -> str:
    composer = SystemPromptComposer(clock=ManualClock(), date_time_formatter=formatter)
    return composer.compose(InstanceFactory.build(sections=sections), tools, caller_instructions)


class TestComposition:
    def test_sections_have_a_fixed_order(self) -> None:
        assert compose({key: str(key) for key in reversed(SectionKey)}) == (
            "01-identity\n\n---\n\n02-soul\n\n---\n\n03-tooling\n\n---\n\n04-safety\n\n---\n\n"
            "05-skills\n\n---\n\n06-memory\n\n---\n\n07-user-identity\n\n---\n\n08-datetime"
        )

    def test_sections_are_trimmed_and_empty_ones_omitted(self) -> None:
        sections = {SectionKey.IDENTITY: "\n  You are Ada. \n", SectionKey.SOUL: " \n\t", SectionKey.SAFETY: "Be safe."}
        assert compose(sections) == "You are Ada.\n\n---\n\nBe safe."

    def test_section_left_empty_by_a_variable_is_omitted(self) -> None:
        sections = {SectionKey.IDENTITY: "You are Ada.", SectionKey.DATETIME: "{{datetime}}"}
        assert compose(sections, formatter=FixedWords("\n")) == "You are Ada."

    def test_prompt_without_sections_is_empty(self) -> None:
        assert compose({}) == ""
        assert compose({}, ["", " \n"]) == ""

    @given(st.dictionaries(st.sampled_from(SectionKey), plain), st.lists(plain, max_size=3))
    def test_prompt_consists_of_the_non_blank_texts(self, sections: dict[SectionKey, str], theirs: list[str]) -> None:
        expected = [sections[key].strip() for key in SectionKey if sections.get(key, "").strip()]
        caller = "\n\n".join(text.strip() for text in theirs if text.strip())
        if caller:
            expected.append(f"{CALLER_HEADING}\n\n{caller}")
        assert compose(sections, theirs) == "\n\n---\n\n".join(expected)


class TestVariables:
    def test_every_occurrence_of_a_variable_is_replaced(self) -> None:
        assert compose({SectionKey.DATETIME: "{{datetime}}|{{timezone}}|{{datetime}}"}) == f"{NOW}|UTC|{NOW}"

    @pytest.mark.parametrize("name", VALUES)
    @pytest.mark.parametrize("key", SectionKey)
    def test_variable_is_replaced_in_its_own_section_only(self, key: SectionKey, name: str) -> None:
        text = f"<{{{{{name}}}}}>"
        assert compose({key: text}) == (f"<{VALUES[name]}>" if PLACES[name] is key else text)

    @pytest.mark.parametrize(
        "text", ["{{unknown}}", "{{ datetime }}", "{{Datetime}}", "{{}}", "{datetime}", "{{datetime}"]
    )
    def test_unknown_variable_is_unchanged(self, text: str) -> None:
        assert compose({SectionKey.DATETIME: text}) == text

    @given(st.text(max_size=30).filter(lambda text: text == text.strip()))
    def test_variables_in_values_are_not_replaced(self, value: str) -> None:
        value = f"{value}{{{{timezone}}}}{{{{datetime}}}}\\1"
        assert compose({SectionKey.DATETIME: "{{datetime}}"}, formatter=FixedWords(value)) == value

    def test_catalogue_has_a_line_for_each_tool_or_a_note(self) -> None:
        show = msgspec.structs.replace(FIND, name="show", description="Shows\n\n- all\tof it.")
        catalogue = {SectionKey.TOOLING: "{{toolCatalog}}"}
        assert compose(catalogue, tools=[FIND, show]) == "- find: Finds.\n- show: Shows - all of it."
        assert compose(catalogue, tools=[]) == "(none)"

    def test_current_time_uses_the_operators_time_zone_and_language(self) -> None:
        clock = ManualClock()
        in_rome = SystemDateTimeFormatter(timezone="Europe/Rome", locale="it-IT")
        composer = SystemPromptComposer(clock=clock, date_time_formatter=in_rome)
        instance = InstanceFactory.build(sections={SectionKey.DATETIME: "{{datetime}} ({{timezone}})"})
        assert composer.compose(instance, ()) == "domenica 22 novembre 2026 11:44 (Europe/Rome)"
        clock.advance(timedelta(hours=1).total_seconds())
        assert composer.compose(instance, ()) == "domenica 22 novembre 2026 12:44 (Europe/Rome)"

    def test_defaults_use_every_important_variable(self) -> None:
        prompt = compose(default_sections("Ada"))
        assert "You are Ada" in prompt
        assert "- find: Finds." in prompt
        assert TODAY in prompt
        assert NOW not in prompt
        assert "{{" not in prompt


class TestCallerInstructions:
    def test_caller_instructions_come_last_under_a_heading(self) -> None:
        prompt = compose({SectionKey.DATETIME: "Now."}, [" First. ", "", "Second.\n"])
        assert prompt == f"Now.\n\n---\n\n{CALLER_HEADING}\n\nFirst.\n\nSecond."
        assert "caller" in CALLER_HEADING
        assert "does not override" in CALLER_HEADING

    def test_variables_in_caller_instructions_are_not_replaced(self) -> None:
        assert compose({}, ["{{datetime}}"]).endswith("\n\n{{datetime}}")

    def test_heading_is_omitted_without_caller_instructions(self) -> None:
        assert CALLER_HEADING not in compose({SectionKey.SOUL: "Kind."}, ["", "  "])
