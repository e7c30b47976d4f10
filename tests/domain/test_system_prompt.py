import msgspec

from polyant.domain.chat import ToolSpec
from polyant.domain.prompts import SectionKey
from polyant.domain.system_prompt import system_prompt
from polyant.testing.factories import InstanceFactory
from polyant.testing.manual_clock import ManualClock

ALL_VARIABLES = {
    SectionKey.TOOLING: "{{toolCatalog}}",
    SectionKey.SKILLS: "{{skillsList}}",
    SectionKey.DATETIME: "{{datetime}} ({{timezone}})",
}


def spec(name: str, description: str) -> ToolSpec:
    return ToolSpec(name=name, description=description, parameters=msgspec.Raw(b"{}"))


def test_variables_are_filled_with_what_is_true_now() -> None:
    instance = InstanceFactory.build(sections=ALL_VARIABLES)
    tools = [spec("find", "Finds."), spec("show", "Shows\n\n- all\tof it.")]
    assert system_prompt(instance, tools, ManualClock(), ("Be brief.",)).split("\n\n---\n\n")[:3] == [
        "- find: Finds.\n- show: Shows - all of it.",
        "(none)",
        "Sunday, November 22, 2026 at 10:44 AM (UTC)",
    ]


def test_caller_s_instructions_come_last() -> None:
    instance = InstanceFactory.build(sections={SectionKey.SOUL: "Be kind."})
    assert system_prompt(instance, [], ManualClock(), ("Be brief.",)).endswith("\n\nBe brief.")
    assert system_prompt(instance, [], ManualClock()) == "Be kind."


def test_catalogue_of_no_tools_says_so() -> None:
    instance = InstanceFactory.build(sections=ALL_VARIABLES)
    assert system_prompt(instance, [], ManualClock()).startswith("(none)")
