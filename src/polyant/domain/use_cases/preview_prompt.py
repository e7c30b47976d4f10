"""Use case: show the current system prompt of an instance."""

from collections.abc import Mapping

import msgspec

from polyant.domain.instances import Slug
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.prompts import SectionKey
from polyant.domain.system_prompt import SystemPromptComposer
from polyant.domain.tool_access import ToolAccess
from polyant.domain.use_cases.show_instance import ShowInstance


class PreviewPrompt:
    """Composes the complete prompt; calls the instance's MCP servers to get their current tools."""

    def __init__(self, *, repo: InstanceRepo, system_prompts: SystemPromptComposer, tool_access: ToolAccess) -> None:
        self._show = ShowInstance(repo=repo)
        self._prompts = system_prompts
        self._tool_access = tool_access

    async def __call__(self, slug: Slug, *, sections: Mapping[SectionKey, str] = {}) -> str:
        """Returns the prompt that the model would see now, with these sections in place of the stored ones.

        Raises:
            UnknownInstanceError: No instance has that slug.
        """
        stored = await self._show(slug)
        instance = msgspec.structs.replace(stored, sections={**stored.sections, **sections})
        async with self._tool_access.open(instance) as available:
            return self._prompts.compose(instance, [tool.spec for tool in available.tools])
