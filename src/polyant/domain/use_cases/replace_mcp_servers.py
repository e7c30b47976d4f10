"""Use case: replace the MCP servers of an instance."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.instances import Instance, Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.use_cases.edit_instance import EditInstance


class ReplaceMcpServers:
    """Replaces all MCP servers of an instance."""

    def __init__(self, *, edit: EditInstance) -> None:
        self._edit = edit

    async def __call__(
        self, slug: Slug, servers: Sequence[McpServer], *, by: Actor, expected_versions: Collection[int] | None = None
    ) -> Instance:
        """Returns the stored instance.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InstanceChangedError: The instance has none of the expected versions.
            InvalidInputError: A server is invalid.
        """

        def put(instance: Instance, _: datetime) -> Instance:
            return msgspec.structs.replace(instance, mcp_servers=tuple(servers))

        change = Change(by, "mcp_servers.set", tuple(server.name for server in servers))
        return await self._edit(slug, put, change, expected_versions=expected_versions)
