"""Use case: show the system prompt that the model would see now."""

from collections.abc import Mapping

from polyant.domain.enabled_tools import enabled_tools
from polyant.domain.instances import Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.tool import Tool
from polyant.domain.system_prompt import system_prompt
from polyant.domain.tools import tool_spec
from polyant.domain.use_cases.show_instance import ShowInstance


class PreviewPrompt:
    """Composes the whole prompt; the tools of MCP servers, which would have to be asked, are not in it."""

    def __init__(self, *, repo: InstanceRepo, clock: Clock, tools: Mapping[str, Tool]) -> None:
        self._show = ShowInstance(repo=repo)
        self._clock = clock
        self._tools = tools

    async def __call__(self, slug: Slug) -> str:
        """Returns the prompt.

        Raises:
            UnknownInstanceError: There is no instance with that slug.
        """
        instance = await self._show(slug)
        ready = (self._tools[tool.name] for tool in enabled_tools(instance, self._tools) if tool.ready)
        specs = [tool_spec(tool.name, tool.description, tool.arguments) for tool in ready]
        return system_prompt(instance, specs, self._clock)
