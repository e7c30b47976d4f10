"""Which tools a turn has: those of the instance's own that are ready, and those of its MCP servers that answer."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from polyant.adapters.tool_loop.offer import offer
from polyant.adapters.tool_loop.toolbox import Toolbox
from polyant.domain.chat import Turn
from polyant.domain.enabled_tools import enabled_tools
from polyant.domain.errors import UnavailableError
from polyant.domain.instances import Instance
from polyant.domain.mcp_headers import headers_for
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.tool import Tool
from polyant.domain.ports.tool_servers import ServerAccess, ToolServers
from polyant.domain.tools import OfferedTool

log = logging.getLogger("polyant.turn")

_MOST_TOOLS = 128
"""OpenAI refuses requests that offer more."""


class TurnTools:
    """Gives each turn its toolbox."""

    def __init__(self, tools: Mapping[str, Tool], tool_servers: ToolServers, cipher: SecretCipher) -> None:
        self._tools = tools
        self._offers = {name: offer(tool) for name, tool in tools.items()}
        self._tool_servers = tool_servers
        self._cipher = cipher

    @asynccontextmanager
    async def toolbox_of(self, turn: Turn) -> AsyncIterator[Toolbox]:
        """Yields the toolbox of the turn's instance; its MCP servers are open for as long."""
        instance = turn.instance
        own = [self._offers[tool.name] for tool in enabled_tools(instance, self._tools) if tool.ready]
        accesses = [access async for access in self._accesses(instance)]
        if not accesses:
            yield Toolbox(turn, own, self._cipher)
            return
        async with self._tool_servers.open(instance.slug, accesses) as theirs:
            yield Toolbox(turn, _fitting(instance, [*own, *theirs]), self._cipher)

    async def _accesses(self, instance: Instance) -> AsyncIterator[ServerAccess]:
        for server in instance.mcp_servers:
            if server.tools:
                try:
                    yield ServerAccess(server=server, headers=await headers_for(instance, server, self._cipher))
                except UnavailableError as error:
                    fields = {"slug": instance.slug, "server": server.name, "why": error.message}
                    log.warning("MCP server not used", extra={"fields": fields})


def _fitting(instance: Instance, tools: Sequence[OfferedTool]) -> Sequence[OfferedTool]:
    """Returns as many of the tools as vendors take, the first ones, and of two with the same name the first."""
    named: dict[str, OfferedTool] = {}
    for tool in tools:
        named.setdefault(tool.spec.name, tool)
    if len(named) > _MOST_TOOLS:
        fields = {"slug": instance.slug, "tools": len(named), "offered": _MOST_TOOLS}
        log.warning("too many tools", extra={"fields": fields})
    return list(named.values())[:_MOST_TOOLS]
