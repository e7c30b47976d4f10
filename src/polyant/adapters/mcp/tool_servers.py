"""Opens an instance's MCP servers for a turn; imports the official package when the first one is opened."""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from polyant.domain.instances import Slug
from polyant.domain.ports.tool_servers import ServerAccess, ToolServers
from polyant.domain.tools import OfferedTool

if TYPE_CHECKING:  # the import takes a second, and fails without the extra
    from polyant.adapters.mcp.connection import McpConnection

log = logging.getLogger("polyant.mcp")

_CONNECTION = "polyant.adapters.mcp.connection"
_SECONDS_TO_CLOSE = (0.3, 0.1, 0.1)
"""How long to wait for closing: gracefully, after a cancellation, after a second one."""


class McpToolServers(ToolServers):
    """Connects to each server for the duration of the turn.

    Args:
        open_seconds: How long a server may take to list its tools.
    """

    def __init__(self, *, open_seconds: float = 5.0) -> None:
        self._open_seconds = open_seconds
        self._connection_class: type[McpConnection] | None = None

    @asynccontextmanager
    async def open(self, slug: Slug, accesses: Sequence[ServerAccess]) -> AsyncIterator[Sequence[OfferedTool]]:
        if self._connection_class is None:
            self._connection_class = await _load()
        if self._connection_class is None:
            _warn(slug, accesses, "the MCP package is not installed: pip install polyant[mcp]")
            yield ()
            return
        connections = [self._connection_class(access) for access in accesses]
        try:
            found = await asyncio.gather(*(self._tools_of(connection, slug) for connection in connections))
            yield [tool for tools in found for tool in tools]
        finally:
            await _close(connections)

    async def _tools_of(self, connection: "McpConnection", slug: Slug) -> list[OfferedTool]:
        """Returns the server's tools, none if the server fails."""
        try:
            tools, refused = await connection.tools(self._open_seconds)
        except ConnectionError as error:
            _warn(slug, [connection.access], str(error))
            return []
        for name, why in refused:
            fields = {"slug": slug, "server": connection.access.server.name, "tool": name, "why": why}
            log.warning("MCP tool not offered", extra={"fields": fields})
        return tools


async def _load() -> "type[McpConnection] | None":
    try:
        # In a thread, so that the import doesn't block other turns.
        module = await asyncio.to_thread(importlib.import_module, _CONNECTION)
    except ImportError:
        return None
    return module.McpConnection  # type: ignore[no-any-return]


async def _close(connections: Iterable["McpConnection"]) -> None:
    tasks = [connection.finish() for connection in connections]
    for seconds in _SECONDS_TO_CLOSE:
        tasks = [task for task in tasks if not task.done()]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=seconds)
        finally:
            for task in tasks:
                task.cancel()


def _warn(slug: Slug, accesses: Iterable[ServerAccess], why: str) -> None:
    for access in accesses:
        fields = {"slug": slug, "server": access.server.name, "origin": access.server.origin, "why": why}
        log.warning("MCP server not used", extra={"fields": fields})
