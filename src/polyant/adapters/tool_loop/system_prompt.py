"""The system prompt of a turn."""

from polyant.adapters.tool_loop.toolbox import Toolbox
from polyant.domain.instances import Instance
from polyant.domain.ports.clock import Clock
from polyant.domain.prompts import compose_system_prompt

_NO_SKILLS = "(none)"


class SystemPrompt:
    """Composes the instance's sections with what is true now."""

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock

    def compose(self, toolbox: Toolbox, caller_instructions: tuple[str, ...] = ()) -> str:
        """Returns the prompt of an agent with those tools."""
        variables = {
            "toolCatalog": toolbox.catalog,
            "skillsList": _NO_SKILLS,
            "datetime": self._clock.describe_now(),
            "timezone": self._clock.timezone_name(),
        }
        return compose_system_prompt(self._instance.sections, variables, caller_instructions)
