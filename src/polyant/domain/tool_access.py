"""Which tools an instance's model has now: its own that are ready, and those of its MCP servers that answer."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from polyant.domain.enabled_tools import enabled_tools
from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.mcp_headers import headers_for
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.tool_servers import ServerAccess, ToolServers
from polyant.domain.tools import OfferedTool, ToolContext, ToolError, tool_spec

MAX_TOOLS = 128
"""OpenAI refuses requests that offer more."""

_NO_ARGUMENTS = frozenset({"", "null"})


class AvailableTools(msgspec.Struct, frozen=True, kw_only=True):
    """The tools that a model can be offered, and what is left out."""

    tools: tuple[OfferedTool, ...]
    """At most `MAX_TOOLS`, the instance's own first; of two with the same name the first."""
    found: int
    """How many there were before the rest was left out."""
    unusable_servers: Mapping[str, UnavailableError]
    """The MCP servers whose secrets can't be sent, by name, and why."""


class ToolAccess:
    """Decides which tools an instance's model has."""

    def __init__(self, *, tools: Mapping[str, Tool], tool_servers: ToolServers, cipher: SecretCipher) -> None:
        self._tools = tools
        self._offers = {name: offer(tool) for name, tool in tools.items()}
        self._tool_servers = tool_servers
        self._cipher = cipher

    @asynccontextmanager
    async def open(self, instance: Instance) -> AsyncIterator[AvailableTools]:
        """Yields the instance's tools; its MCP servers are open until the context is left."""
        own = [self._offers[tool.name] for tool in enabled_tools(instance, self._tools) if tool.ready]
        accesses, unusable = await self._accesses(instance)
        if not accesses:
            yield _available(own, unusable)
            return
        async with self._tool_servers.open(instance.slug, accesses) as theirs:
            yield _available([*own, *theirs], unusable)

    async def _accesses(self, instance: Instance) -> tuple[Sequence[ServerAccess], Mapping[str, UnavailableError]]:
        accesses: list[ServerAccess] = []
        unusable: dict[str, UnavailableError] = {}
        for server in instance.mcp_servers:
            if server.tools:
                try:
                    headers = await headers_for(instance, server, self._cipher)
                except UnavailableError as error:
                    unusable[server.name] = error
                else:
                    accesses.append(ServerAccess(server=server, headers=headers))
        return accesses, unusable


def offer(tool: Tool) -> OfferedTool:
    """Returns the tool as a model is offered it: its schema, and a call that takes arguments as a model writes them."""
    decoder = msgspec.json.Decoder(tool.arguments)

    async def call(arguments: str, context: ToolContext) -> str:
        try:
            decoded = decoder.decode("{}" if arguments.strip() in _NO_ARGUMENTS else arguments)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ToolError(f"The arguments don't fit the tool's schema: {error}") from None
        return await tool.run(decoded, context)

    spec = tool_spec(tool.name, tool.description, tool.arguments)
    return OfferedTool(spec=spec, secrets=tool.secrets, call=call)


def _available(tools: Iterable[OfferedTool], unusable: Mapping[str, UnavailableError]) -> AvailableTools:
    named: dict[str, OfferedTool] = {}
    for tool in tools:
        named.setdefault(tool.spec.name, tool)
    kept = tuple(named.values())[:MAX_TOOLS]
    return AvailableTools(tools=kept, found=len(named), unusable_servers=unusable)
