"""The kit refuses a ToolServers that contacts one server after the other."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from polyant.adapters.mcp.tool_servers import McpToolServers
from polyant.domain.instances import Slug
from polyant.domain.ports.tool_servers import OpenedServers, ServerAccess, ToolServers
from polyant.testing.mcp_rig import open_mcp_rig
from polyant.testing.mcp_server import McpServerProcess
from polyant.testing.tool_servers import ToolServersContract
from support.patience import seconds


class SequentialToolServers(ToolServers):
    """Opens each server after the one before it."""

    def __init__(self, client: ToolServers) -> None:
        self._client = client

    @asynccontextmanager
    async def open(self, slug: Slug, accesses: Sequence[ServerAccess]) -> AsyncIterator[OpenedServers]:
        async with AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(self._client.open(slug, [each])) for each in accesses]
            yield OpenedServers(
                tools=[tool for each in opened for tool in each.tools],
                omissions=[omission for each in opened for omission in each.omissions],
            )


async def test_sequential_client_is_refused() -> None:
    client = SequentialToolServers(McpToolServers(open_seconds=seconds(1.2)))
    async with open_mcp_rig(client, McpServerProcess(9)) as rig:
        with pytest.raises(AssertionError):
            await ToolServersContract().test_servers_are_contacted_concurrently(rig)
