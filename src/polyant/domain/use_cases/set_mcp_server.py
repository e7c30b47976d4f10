"""Use case: add or replace an MCP server of an instance."""

from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.instances import Instance, Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.use_cases.edit_instance import EditInstance


class SetMcpServer:
    """Adds an MCP server, or replaces the one with the same name."""

    def __init__(self, *, edit: EditInstance) -> None:
        self._edit = edit

    async def __call__(self, slug: Slug, server: McpServer, *, by: Actor) -> Instance:
        """Returns the stored instance.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InvalidInputError: The server is invalid.
        """

        def put(instance: Instance, _: datetime) -> Instance:
            servers = {known.name: known for known in instance.mcp_servers} | {server.name: server}
            return msgspec.structs.replace(instance, mcp_servers=tuple(servers.values()))

        return await self._edit(slug, put, Change(by, "mcp_servers.set", (server.name,)))
