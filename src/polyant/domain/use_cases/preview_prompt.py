"""Use case: show the system prompt that the model would see now."""

from collections.abc import AsyncIterator, Iterator, Mapping

from polyant.domain.chat import ToolSpec
from polyant.domain.enabled_tools import enabled_tools
from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance, Slug
from polyant.domain.mcp_headers import headers_for
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.tool_servers import ServerAccess, ToolServers
from polyant.domain.system_prompt import SystemPromptComposer
from polyant.domain.tools import tool_spec
from polyant.domain.use_cases.show_instance import ShowInstance


class PreviewPrompt:
    """Composes the whole prompt; the instance's MCP servers are asked which tools they have now."""

    def __init__(
        self,
        *,
        repo: InstanceRepo,
        system_prompts: SystemPromptComposer,
        tools: Mapping[str, Tool],
        tool_servers: ToolServers,
        cipher: SecretCipher,
    ) -> None:
        self._show = ShowInstance(repo=repo)
        self._prompts = system_prompts
        self._tools = tools
        self._tool_servers = tool_servers
        self._cipher = cipher

    async def __call__(self, slug: Slug) -> str:
        """Returns the prompt.

        Raises:
            UnknownInstanceError: There is no instance with that slug.
        """
        instance = await self._show(slug)
        specs = [*self._own_specs(instance), *await self._server_specs(instance)]
        return self._prompts.compose(instance, specs)

    def _own_specs(self, instance: Instance) -> Iterator[ToolSpec]:
        for enabled in enabled_tools(instance, self._tools):
            if enabled.ready:
                tool = self._tools[enabled.name]
                yield tool_spec(tool.name, tool.description, tool.arguments)

    async def _server_specs(self, instance: Instance) -> list[ToolSpec]:
        accesses = [access async for access in self._accesses(instance)]
        if not accesses:
            return []
        async with self._tool_servers.open(instance.slug, accesses) as offered:
            return [tool.spec for tool in offered]

    async def _accesses(self, instance: Instance) -> AsyncIterator[ServerAccess]:
        for server in instance.mcp_servers:
            try:
                headers = await headers_for(instance, server, self._cipher)
            except UnavailableError:  # the turn would do without that server, too
                continue
            if server.tools:
                yield ServerAccess(server=server, headers=headers)
