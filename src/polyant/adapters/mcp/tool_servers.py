"""Opens an instance's MCP servers for a turn; imports the official package when the first one is opened."""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from polyant.adapters.mcp.faults import UnusableServerError
from polyant.domain.instances import Slug
from polyant.domain.ports.tool_servers import (
    OPEN_SECONDS,
    Omission,
    OpenedServers,
    ServerAccess,
    ServerFault,
    ToolServers,
)

if TYPE_CHECKING:  # the import takes a second, and fails without the extra
    from polyant.adapters.mcp.connection import McpConnection

log = logging.getLogger("polyant.mcp")

_CONNECTION = "polyant.adapters.mcp.connection"
_MAX_LOGGED_ALIASES = 10_000
_MAX_LOGGED_TOOLS = 20
_SECONDS_TO_CLOSE = (0.3, 0.1, 0.1)
"""How long to wait for closing: gracefully, after a cancellation, after a second one."""


class McpToolServers(ToolServers):
    """Connects to each server for the duration of the turn.

    Args:
        open_seconds: How long a server may take to list its tools.
    """

    def __init__(self, *, open_seconds: float = OPEN_SECONDS) -> None:
        self._open_seconds = open_seconds
        self._connection_class: type[McpConnection] | None = None
        self._logged_aliases: set[tuple[Slug, str]] = set()

    @asynccontextmanager
    async def open(self, slug: Slug, accesses: Sequence[ServerAccess]) -> AsyncIterator[OpenedServers]:
        if self._connection_class is None:
            self._connection_class = await _load()
        if self._connection_class is None:
            reason = "the MCP package is not installed: pip install polyant[mcp]"
            error = UnusableServerError(reason, ServerFault.NOT_INSTALLED)
            yield OpenedServers(omissions=[_server_omission(slug, access, error) for access in accesses])
            return
        connections = [self._connection_class(access) for access in accesses]
        try:
            found = await asyncio.gather(*(self._tools_of(connection, slug) for connection in connections))
            yield OpenedServers(
                tools=[tool for opened in found for tool in opened.tools],
                omissions=[omission for opened in found for omission in opened.omissions],
            )
        finally:
            await _close(connections)

    async def _tools_of(self, connection: "McpConnection", slug: Slug) -> OpenedServers:
        """Returns the server's tools, none if the server fails."""
        access = connection.access
        try:
            tools, refused = await connection.tools(self._open_seconds)
        except UnusableServerError as error:
            return OpenedServers(omissions=[_server_omission(slug, access, error)])
        omissions = [Omission(server=access.server.name, tool=name, reason=reason) for name, reason in refused]
        _log_refused(slug, access, refused)
        if connection.listing.fault is not None:
            omissions.append(_list_omission(slug, access, connection.listing.fault))
        for tool in tools:
            if tool.original_name is not None:
                self._log_alias(slug, access, tool.original_name, tool.spec.name)
        return OpenedServers(tools=tools, omissions=omissions)

    def _log_alias(self, slug: Slug, access: ServerAccess, tool: str, alias: str) -> None:
        """Logs the alias of a tool once, and not in each turn."""
        if (slug, alias) not in self._logged_aliases and len(self._logged_aliases) < _MAX_LOGGED_ALIASES:
            self._logged_aliases.add((slug, alias))
            fields = {"slug": slug, "server": access.server.name, "tool": tool, "alias": alias}
            log.info("MCP tool renamed", extra={"fields": fields})


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


def _server_omission(slug: Slug, access: ServerAccess, error: UnusableServerError) -> Omission:
    server, reason = access.server, str(error)
    fields = {"slug": slug, "server": server.name, "origin": server.origin, "why": reason}
    log.warning("MCP server not used", extra={"fields": fields})
    return Omission(server=server.name, reason=reason, fault=error.fault)


def _log_refused(slug: Slug, access: ServerAccess, refused: Sequence[tuple[str, str]]) -> None:
    """Logs each tool, up to a limit, so that a faulty server can't flood the log in each turn."""
    common = {"slug": slug, "server": access.server.name}
    for name, reason in refused[:_MAX_LOGGED_TOOLS]:
        log.warning("MCP tool not offered", extra={"fields": {**common, "tool": name, "why": reason}})
    if len(refused) > _MAX_LOGGED_TOOLS:
        more = {**common, "tools": len(refused) - _MAX_LOGGED_TOOLS}
        log.warning("more MCP tools not offered", extra={"fields": more})


def _list_omission(slug: Slug, access: ServerAccess, reason: str) -> Omission:
    log.warning(
        "MCP tool list incomplete", extra={"fields": {"slug": slug, "server": access.server.name, "why": reason}}
    )
    return Omission(server=access.server.name, reason=reason)
