"""Use case: replace the MCP servers of an instance."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from polyant.domain.audit import Actor, Change
from polyant.domain.instances import Instance, Slug, check_instance
from polyant.domain.mcp_servers import McpServer
from polyant.domain.outbound import OutboundPolicy
from polyant.domain.use_cases.edit_instance import EditInstance


class ReplaceMcpServers:
    """Replaces all MCP servers of an instance."""

    def __init__(self, *, edit: EditInstance, outbound: OutboundPolicy) -> None:
        self._edit = edit
        self._outbound = outbound

    async def __call__(
        self,
        slug: Slug,
        servers: Sequence[McpServer],
        *,
        by: Actor,
        unrestricted: bool = False,
        expected_versions: Collection[int] | None = None,
    ) -> Instance:
        """Returns the stored instance.

        With `unrestricted`, the author may set addresses outside the public internet.

        Raises:
            UnknownInstanceError: No instance has that slug.
            InstanceChangedError: The instance has none of the expected versions.
            InvalidInputError: A server is invalid, or the author may not set its address.
        """

        def put(instance: Instance, _: datetime) -> Instance:
            changed = check_instance(msgspec.structs.replace(instance, mcp_servers=tuple(servers)))
            given = [server.url for server in servers]
            return self._outbound.approved(changed, given, unrestricted=unrestricted, before=instance)

        change = Change(by, "mcp_servers.set", tuple(server.name for server in servers))
        return await self._edit(slug, put, change, expected_versions=expected_versions)
