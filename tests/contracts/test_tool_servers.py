import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec
import pytest

from polyant.adapters.mcp.tool_servers import McpToolServers
from polyant.domain.mcp_servers import McpServer
from polyant.domain.ports.tool_servers import ServerAccess, ToolServers
from polyant.domain.tools import ToolError
from polyant.testing.tool_servers import SECRET, ToolServersContract, ToolServersUnderTest, call, opened
from support.mcp_server import McpServerProcess, mcp_server_process
from support.patience import seconds
from support.upstream import HANG_BEFORE_HEAD, Gate, Received, Reply, ScriptedUpstream

NOWHERE = "http://127.0.0.1:9/mcp"


@pytest.fixture(scope="module")
def shared_process() -> Iterator[McpServerProcess]:
    with mcp_server_process() as process:
        yield process


class McpServersUnderTest:
    def __init__(self, process: McpServerProcess, upstream: ScriptedUpstream, other: ScriptedUpstream) -> None:
        self.tool_servers: ToolServers = McpToolServers(open_seconds=seconds(1.2))
        self.full_name = "full"
        self._process = process
        self._upstream = upstream
        self._other = other

    def full(self, *tools: str) -> ServerAccess:
        return access("full", self._process.at(self.full_name), *tools)

    def odd(self) -> ServerAccess:
        return access("odd", self._process.at("odd"), "*")

    def down(self) -> ServerAccess:
        return access("down", NOWHERE, "*")

    def slow(self) -> ServerAccess:
        self._upstream.otherwise = HANG_BEFORE_HEAD
        return access("slow", self._upstream.url, "*")

    def together(self, count: int) -> Sequence[ServerAccess]:
        gate = Gate()

        def hold(_: Received) -> Reply:
            if len(self._upstream.requests) >= count:
                gate.open()
            return Reply(framing="raw", pieces=(gate, b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"))

        self._upstream.otherwise = hold
        return [access(f"server-{number}", self._upstream.url, "*") for number in range(count)]

    def refusing(self) -> ServerAccess:
        self._upstream.otherwise = Reply(status=401, pieces=(SECRET.encode(),))
        return access("refusing", self._upstream.url, "*")

    def named(self) -> ServerAccess:
        return access("named", self._process.at("named"), "*")

    def private(self) -> ServerAccess:
        return msgspec.structs.replace(self.full("*"), public_only=True)

    def redirecting(self) -> ServerAccess:
        self._upstream.otherwise = Reply(status=307, headers={"Location": f"{self._other.url}/mcp"})
        return access("redirecting", self._upstream.url, "*")

    @property
    def redirected(self) -> int:
        return len(self._other.requests)

    async def hanging(self, count: int) -> None:
        await self._process.hanging(count)


def access(name: str, url: str, *tools: str) -> ServerAccess:
    return ServerAccess(server=McpServer(name=name, url=url, tools=tools))


class TestMcpToolServers(ToolServersContract):
    @pytest.fixture
    def process(self, request: pytest.FixtureRequest, shared_process: McpServerProcess) -> Iterator[McpServerProcess]:
        """The shared server, or a separate one for the test that kills it."""
        if "gone" in request.node.name:
            with mcp_server_process() as process:
                yield process
        else:
            yield shared_process

    @pytest.fixture
    async def servers(self, process: McpServerProcess) -> AsyncIterator[ToolServersUnderTest]:
        async with ScriptedUpstream() as upstream, ScriptedUpstream() as other:
            yield McpServersUnderTest(process, upstream, other)


class TestMcpToolServersWithAnOlderServer(TestMcpToolServers):
    @pytest.fixture
    async def servers(self, process: McpServerProcess) -> AsyncIterator[ToolServersUnderTest]:
        async with ScriptedUpstream() as upstream, ScriptedUpstream() as other:
            servers = McpServersUnderTest(process, upstream, other)
            servers.full_name = "legacy"
            yield servers

    async def test_no_session_stays_at_the_server(
        self, servers: ToolServersUnderTest, process: McpServerProcess
    ) -> None:
        async with opened(servers, servers.full("hang")) as tools:
            waiting = asyncio.create_task(call(tools["full__hang"]))
            await servers.hanging(1)
            assert await process.sessions() == 1
        await asyncio.wait([waiting])
        assert isinstance(waiting.exception(), ToolError)
        assert await process.sessions() == 0
