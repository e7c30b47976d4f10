"""Use case: add or replace an MCP server of an instance."""

from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.instances import Instance, Slug, check_instance
from polyant.domain.mcp_servers import McpServer
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.use_cases.edit_instance import EditInstance


class SetMcpServer:
    """Adds an MCP server, or replaces the one with the same name."""

    def __init__(self, *, edit: EditInstance, outbound: OutboundPolicy) -> None:
        self._edit = edit
        self._outbound = outbound

    async def __call__(self, slug: Slug, server: McpServer, *, by: Actor, unrestricted: bool = False) -> Instance:
        """Returns the stored instance.

        With `unrestricted`, the author may set an address outside the public internet.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InvalidInputError: The server is invalid, or the author may not set its address.
        """

        def put(instance: Instance, _: datetime) -> Instance:
            servers = {known.name: known for known in instance.mcp_servers} | {server.name: server}
            changed = check_instance(msgspec.structs.replace(instance, mcp_servers=tuple(servers.values())))
            return self._outbound.approved(changed, [server.url], unrestricted=unrestricted, before=instance)

        return await self._edit(slug, put, Change(by, "mcp_servers.set", (server.name,)))
