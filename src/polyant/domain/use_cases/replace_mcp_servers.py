"""Use case: say anew which MCP servers an instance has."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.instances import Instance, Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.use_cases.edit_instance import EditInstance


class ReplaceMcpServers:
    """Puts the servers in place of all those that the instance has."""

    def __init__(self, *, edit: EditInstance) -> None:
        self._edit = edit

    async def __call__(
        self, slug: Slug, servers: Sequence[McpServer], *, by: Actor, expected_versions: Collection[int] | None = None
    ) -> Instance:
        """Returns the instance as stored.

        Raises:
            UnknownInstanceError: There is none with that slug.
            InstanceChangedError: It has none of the expected versions.
            InvalidInputError: A server breaks a rule.
        """

        def put(instance: Instance, _: datetime) -> Instance:
            return msgspec.structs.replace(instance, mcp_servers=tuple(servers))

        change = Change(by, "mcp_servers.set", tuple(server.name for server in servers))
        return await self._edit(slug, put, change, expected_versions=expected_versions)
