import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from polyant.adapters.mcp.tool_servers import McpToolServers
from polyant.domain.tools import ToolError
from polyant.testing.mcp_rig import McpRig, open_mcp_rig
from polyant.testing.mcp_server import McpServerProcess, mcp_server_process
from polyant.testing.tool_servers import ToolServersContract, call, opened
from support.patience import seconds


@pytest.fixture(scope="module")
def process() -> Iterator[McpServerProcess]:
    with mcp_server_process() as process:
        yield process


class TestMcpToolServers(ToolServersContract):
    @pytest.fixture
    async def servers(self, process: McpServerProcess) -> AsyncIterator[McpRig]:
        async with open_mcp_rig(McpToolServers(open_seconds=seconds(1.2)), process) as rig:
            yield rig


class TestMcpToolServersWithAnOlderServer(ToolServersContract):
    @pytest.fixture
    async def servers(self, process: McpServerProcess) -> AsyncIterator[McpRig]:
        async with open_mcp_rig(McpToolServers(open_seconds=seconds(1.2)), process, full="legacy") as rig:
            yield rig

    async def test_no_session_stays_at_the_server(self, servers: McpRig, process: McpServerProcess) -> None:
        async with opened(servers, servers.full("hang")) as tools:
            waiting = asyncio.create_task(call(tools["full__hang"]))
            await servers.hanging(1)
            assert await process.sessions() == 1
        await asyncio.wait([waiting])
        assert isinstance(waiting.exception(), ToolError)
        assert await process.sessions() == 0
