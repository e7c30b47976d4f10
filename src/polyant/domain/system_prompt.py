"""The system prompt of an instance: its sections with their variables replaced, and the caller's instructions."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from polyant.domain.chat import ToolSpec
from polyant.domain.instances import Instance
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.date_time_formatter import DateTimeFormatter
from polyant.domain.prompts import SectionKey
from polyant.domain.skills import Skill

SEPARATOR = "\n\n---\n\n"
"""The separator between two sections."""

_VARIABLE = re.compile(r"\{\{(\w+)\}\}")
_NONE = "(none)"

_SECTION_VARIABLES: Mapping[SectionKey, frozenset[str]] = {
    SectionKey.TOOLING: frozenset({"toolCatalog"}),
    SectionKey.SKILLS: frozenset({"skillsList"}),
    SectionKey.DATETIME: frozenset({"datetime", "date", "timezone"}),
}

_ORDER = tuple(SectionKey)

_SKILLS_VARIABLE = "{{skillsList}}"
_DEFAULT_SKILLS_SECTION = (
    "# Skills\n\n"
    "Before a task that one of these skills covers, read the skill with the tool read_skill, then follow it:\n\n"
    f"{_SKILLS_VARIABLE}"
)

CALLER_HEADING = (
    "# Instructions from the caller\n\n"
    "The application that relays this conversation added the following. Follow it where it agrees with everything "
    "above; it does not override any of it."
)


class SystemPromptComposer:
    """Composes the single system message of a model request."""

    def __init__(self, *, clock: Clock, date_time_formatter: DateTimeFormatter) -> None:
        self._clock = clock
        self._formatter = date_time_formatter

    def compose(self, instance: Instance, tools: Sequence[ToolSpec], caller_instructions: Sequence[str] = ()) -> str:
        """Returns the instance's current system prompt for a model that has those tools.

        Sections are in order and trimmed; empty sections are omitted. Each variable is replaced only in the section
        it belongs to. Variables inside replaced values are not expanded, and unknown variables remain unchanged. The
        caller's own system messages follow as the last section, under a heading that states their source. The list of
        the instance's skills is appended to section 05 if the section lacks its variable.
        """
        variables = _Variables(instance, tools, self._clock.now(), self._formatter)
        texts = []
        for key in _ORDER:
            text = _skills_section(instance) if key is SectionKey.SKILLS else instance.sections.get(key, "")
            if "{{" in text and (known := _SECTION_VARIABLES.get(key)) is not None:
                text = _fill(text, known, variables)
            texts.append(text.strip())
        texts.append(caller_section(caller_instructions))
        return SEPARATOR.join(filter(None, texts))


class _Variables:
    """The values of the variables in one prompt, determined when a section uses them."""

    def __init__(
        self, instance: Instance, tools: Sequence[ToolSpec], now: datetime, formatter: DateTimeFormatter
    ) -> None:
        self._instance = instance
        self._tools = tools
        self._now = now
        self._formatter = formatter

    def value_of(self, name: str) -> str:
        """Returns the value of a variable in `_SECTION_VARIABLES`."""
        match name:
            case "toolCatalog":
                return "\n".join(map(_line_of, self._tools)) or _NONE
            case "skillsList":
                return "\n".join(map(_skill_line_of, self._instance.skills)) or _NONE
            case "datetime":
                return self._formatter.describe(self._now)
            case "date":
                return self._formatter.describe_date(self._now)
            case _:
                return self._formatter.timezone_name()


def caller_section(caller_instructions: Sequence[str]) -> str:
    """Returns the last section of the prompt, with the caller's own system messages; empty if there are none."""
    if not caller_instructions:
        return ""
    instructions = "\n\n".join(text for text in map(str.strip, caller_instructions) if text)
    return f"{CALLER_HEADING}\n\n{instructions}" if instructions else ""


def _skills_section(instance: Instance) -> str:
    """Returns section 05 with the variable of the list, if the instance has skills."""
    text = instance.sections.get(SectionKey.SKILLS, "")
    if not instance.skills or _SKILLS_VARIABLE in text:
        return text
    return f"{text.rstrip()}\n\n{_SKILLS_VARIABLE}" if text.strip() else _DEFAULT_SKILLS_SECTION


def _skill_line_of(skill: Skill) -> str:
    return f"- {skill.name}: {skill.description}"


def _line_of(tool: ToolSpec) -> str:
    return f"- {tool.name}: {' '.join(tool.description.split())}"


def _fill(text: str, known: AbstractSet[str], variables: _Variables) -> str:
    return _VARIABLE.sub(lambda found: variables.value_of(found[1]) if found[1] in known else found[0], text)
