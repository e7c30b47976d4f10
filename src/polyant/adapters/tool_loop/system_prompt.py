"""The system prompt of a turn."""

from polyant.adapters.tool_loop.toolbox import Toolbox
from polyant.domain.instances import Instance
from polyant.domain.ports.clock import Clock
from polyant.domain.system_prompt import system_prompt


class SystemPrompt:
    """Composes the instance's sections with what is true now."""

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock

    def compose(self, toolbox: Toolbox, caller_instructions: tuple[str, ...] = ()) -> str:
        """Returns the prompt of an agent with those tools."""
        return system_prompt(self._instance, toolbox.specs, self._clock, caller_instructions)
