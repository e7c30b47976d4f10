"""The tools that an instance's model can use now: its own ready tools, and those of its reachable MCP servers."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import msgspec

from polyant.domain.enabled_tools import enabled_tools
from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.mcp_headers import headers_for
from polyant.domain.mcp_servers import ALL_TOOLS, McpServer
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.tool_servers import Omission, OpenedServers, ServerAccess, ToolServers
from polyant.domain.skill_reading import SkillReader
from polyant.domain.tools import OfferedTool, ToolContext, ToolError, tool_spec
from polyant.domain.trace_context import TraceContext

MAX_TOOLS = 128
"""The maximum number of tools in a request to OpenAI."""

_NO_ARGUMENTS = frozenset({"", "null"})


class AvailableTools(msgspec.Struct, frozen=True, kw_only=True):
    """The tools that can be offered to a model, and the omitted ones."""

    tools: tuple[OfferedTool, ...]
    """At most `MAX_TOOLS` tools: `read_skill`, then the instance's own; of two with the same name, the first."""
    found: int
    """The number of tools before the list was cut to `MAX_TOOLS`."""
    unusable_servers: Mapping[str, UnavailableError]
    """The reason for each MCP server whose secrets can't be sent, by server name."""
    omissions: Sequence[Omission] = ()
    """The MCP servers and tools that can't be used for other reasons; they are already logged."""


class ToolAccess:
    """Determines the tools that an instance's model can use."""

    def __init__(
        self,
        *,
        tools: Mapping[str, Tool],
        tool_servers: ToolServers,
        cipher: SecretCipher,
        outbound: OutboundPolicy,
        skills: SkillReader,
    ) -> None:
        self._tools = tools
        self._offers = {name: offer(tool) for name, tool in tools.items()}
        self._tool_servers = tool_servers
        self._cipher = cipher
        self._outbound = outbound
        self._skills = skills

    def open(
        self, instance: Instance, *, trace: TraceContext | None = None
    ) -> AbstractAsyncContextManager[AvailableTools]:
        """Returns a context manager that yields the instance's tools.

        Connections to its MCP servers stay open until the context exits.

        Args:
            instance: The instance.
            trace: The trace that the requests to MCP servers belong to.
        """
        ready = [self._offers[tool.name] for tool in enabled_tools(instance, self._tools) if tool.ready]
        own = [*self._skills.tools_for(instance), *ready]
        if not any(server.tools for server in instance.mcp_servers):
            return nullcontext(_available(own, {}))
        return self._with_servers(instance, own, trace)

    @asynccontextmanager
    async def _with_servers(
        self, instance: Instance, own: Sequence[OfferedTool], trace: TraceContext | None
    ) -> AsyncIterator[AvailableTools]:
        accesses, unusable = await self._accesses(instance, trace)
        if not accesses:
            yield _available(own, unusable)
            return
        async with self._tool_servers.open(instance.slug, accesses) as opened:
            yield _available([*own, *opened.tools], unusable, opened.omissions)

    @asynccontextmanager
    async def open_server(self, instance: Instance, server: McpServer) -> AsyncIterator[OpenedServers]:
        """Yields all tools of one of the instance's MCP servers, also those that it doesn't allow.

        Raises:
            UnavailableError: A secret of the server's headers can't be sent; nothing is connected.
        """
        access = await self._access(instance, server)
        everything = msgspec.structs.replace(server, tools=(ALL_TOOLS,))
        async with self._tool_servers.open(
            instance.slug, [msgspec.structs.replace(access, server=everything)]
        ) as opened:
            yield opened

    async def _accesses(
        self, instance: Instance, trace: TraceContext | None
    ) -> tuple[Sequence[ServerAccess], Mapping[str, UnavailableError]]:
        accesses: list[ServerAccess] = []
        unusable: dict[str, UnavailableError] = {}
        for server in instance.mcp_servers:
            if server.tools:
                try:
                    accesses.append(await self._access(instance, server, trace))
                except UnavailableError as error:
                    unusable[server.name] = error
        return accesses, unusable

    async def _access(self, instance: Instance, server: McpServer, trace: TraceContext | None = None) -> ServerAccess:
        headers = await headers_for(instance, server, self._cipher)
        public_only = self._outbound.restricts(instance, server.url)
        return ServerAccess(server=server, headers=headers, public_only=public_only, trace=trace)


def offer(tool: Tool) -> OfferedTool:
    """Returns the tool in the form offered to a model: its schema, and a call that accepts arguments as JSON text."""
    decoder = msgspec.json.Decoder(tool.arguments)

    async def call(arguments: str, context: ToolContext) -> str:
        try:
            decoded = decoder.decode("{}" if arguments.strip() in _NO_ARGUMENTS else arguments)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ToolError(f"The arguments don't match the tool's schema: {error}") from None
        return await tool.run(decoded, context)

    spec = tool_spec(tool.name, tool.description, tool.arguments)
    return OfferedTool(spec=spec, secrets=tool.secrets, call=call)


def _available(
    tools: Iterable[OfferedTool], unusable: Mapping[str, UnavailableError], omissions: Sequence[Omission] = ()
) -> AvailableTools:
    named: dict[str, OfferedTool] = {}
    for tool in tools:
        named.setdefault(tool.spec.name, tool)
    kept = tuple(named.values())[:MAX_TOOLS]
    return AvailableTools(tools=kept, found=len(named), unusable_servers=unusable, omissions=omissions)
