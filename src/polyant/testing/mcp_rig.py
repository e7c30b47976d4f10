"""The rig of a ToolServers: a real MCP server, and scripted servers that fail; it needs `polyant[mcp]`."""

import contextlib
from collections.abc import AsyncIterator, Sequence

import msgspec

from polyant.domain.mcp_servers import McpServer
from polyant.domain.ports.tool_servers import ServerAccess, ToolServers
from polyant.testing.mcp_server import McpServerProcess, mcp_server_process
from polyant.testing.tool_servers import SECRET, ToolServersUnderTest
from polyant.testing.upstream import HANG_BEFORE_HEAD, Gate, Received, Reply, ScriptedUpstream

_NOWHERE = "http://127.0.0.1:9/mcp"


class McpRig(ToolServersUnderTest):
    """A ToolServers and its servers; see `open_mcp_rig`."""

    def __init__(
        self,
        tool_servers: ToolServers,
        process: McpServerProcess,
        *,
        full: str,
        upstream: ScriptedUpstream,
        other: ScriptedUpstream,
        stack: contextlib.ExitStack,
    ) -> None:
        self.tool_servers = tool_servers
        self._process = process
        self._full = full
        self._upstream = upstream
        self._other = other
        self._stack = stack

    def full(self, *tools: str) -> ServerAccess:
        """Returns access to the server; a process of its own if the test stops it."""
        process = self._stack.enter_context(mcp_server_process()) if "die" in tools else self._process
        return access_to("full", process.at(self._full), *tools)

    def odd(self) -> ServerAccess:
        return access_to("odd", self._process.at("odd"), "*")

    def named(self) -> ServerAccess:
        return access_to("named", self._process.at("named"), "*")

    def down(self) -> ServerAccess:
        return access_to("down", _NOWHERE, "*")

    def slow(self) -> ServerAccess:
        self._upstream.otherwise = HANG_BEFORE_HEAD
        return access_to("slow", self._upstream.url, "*")

    def together(self, count: int) -> Sequence[ServerAccess]:
        gate = Gate()

        def hold(_: Received) -> Reply:
            if len(self._upstream.requests) >= count:
                gate.open()
            return Reply(framing="raw", pieces=(gate, b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"))

        self._upstream.otherwise = hold
        return [access_to(f"server-{number}", self._upstream.url, "*") for number in range(count)]

    def refusing(self) -> ServerAccess:
        self._upstream.otherwise = Reply(status=401, pieces=(SECRET.encode(),))
        return access_to("refusing", self._upstream.url, "*")

    def private(self) -> ServerAccess:
        return msgspec.structs.replace(self.full("*"), public_only=True)

    def redirecting(self) -> ServerAccess:
        self._upstream.otherwise = Reply(status=307, headers={"Location": f"{self._other.url}/mcp"})
        return access_to("redirecting", self._upstream.url, "*")

    @property
    def redirected(self) -> int:
        return len(self._other.requests)

    async def hanging(self, count: int) -> None:
        await self._process.hanging(count)


@contextlib.asynccontextmanager
async def open_mcp_rig(
    tool_servers: ToolServers, process: McpServerProcess, *, full: str = "full"
) -> AsyncIterator[McpRig]:
    """Yields a rig.

    Args:
        tool_servers: The adapter under test, with a time-out of less than a second or a little more.
        process: The MCP servers. Tests can share one: it takes a second to start.
        full: The server to use as `full`: `legacy` is one without support for discovery.
    """
    with contextlib.ExitStack() as stack:
        async with ScriptedUpstream() as upstream, ScriptedUpstream() as other:
            yield McpRig(tool_servers, process, full=full, upstream=upstream, other=other, stack=stack)


def access_to(name: str, url: str, *tools: str) -> ServerAccess:
    """Returns access to a server without headers, with these tools allowed."""
    return ServerAccess(server=McpServer(name=name, url=url, tools=tools))
