"""The system prompt of an instance as it is now: its sections with what is true at this moment filled in."""

from collections.abc import Iterable

from polyant.domain.chat import ToolSpec
from polyant.domain.instances import Instance
from polyant.domain.ports.clock import Clock
from polyant.domain.prompts import compose_system_prompt

_NONE = "(none)"


def system_prompt(
    instance: Instance, tools: Iterable[ToolSpec], clock: Clock, caller_instructions: tuple[str, ...] = ()
) -> str:
    """Returns the one system message that a model with those tools sees."""
    variables = {
        "toolCatalog": "\n".join(map(_line_of, tools)) or _NONE,
        "skillsList": _NONE,
        "datetime": clock.describe_now(),
        "timezone": clock.timezone_name(),
    }
    return compose_system_prompt(instance.sections, variables, caller_instructions)


def _line_of(tool: ToolSpec) -> str:
    return f"- {tool.name}: {' '.join(tool.description.split())}"
