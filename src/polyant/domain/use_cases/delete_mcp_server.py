"""Use case: remove an MCP server from an instance."""

from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.errors import NotFoundError
from polyant.domain.instances import Instance, Slug
from polyant.domain.use_cases.edit_instance import EditInstance


class DeleteMcpServer:
    """Removes an MCP server; the secrets of its headers remain."""

    def __init__(self, *, edit: EditInstance) -> None:
        self._edit = edit

    async def __call__(self, slug: Slug, name: str, *, by: Actor) -> Instance:
        """Returns the instance without the server.

        Raises:
            UnknownInstanceError: No instance has that slug.
            NotFoundError: The instance has no such server.
        """

        def remove(instance: Instance, _: datetime) -> Instance:
            kept = tuple(server for server in instance.mcp_servers if server.name != name)
            if len(kept) == len(instance.mcp_servers):
                raise NotFoundError(f"Instance '{slug}' has no MCP server '{name}'")
            return msgspec.structs.replace(instance, mcp_servers=kept)

        return await self._edit(slug, remove, Change(by, "mcp_servers.delete", (name,)))
