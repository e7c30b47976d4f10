"""A real MCP server on the official package, in a process of its own; it needs `polyant[mcp]`."""

import asyncio
import contextlib
import http.client
import subprocess
import sys
from collections.abc import Iterator

_COMMAND = (sys.executable, "-P", "-m", "polyant.testing.mcp_server_main")


class McpServerProcess:
    """The test's handle to a process with several MCP servers.

    The server `full` has the tools that `ToolServersUnderTest` lists. `legacy` is the same server without support for
    discovery. `odd`, `named` and `paged` list tools that are hard to offer.

    Args:
        port: The process's port on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port

    def at(self, name: str) -> str:
        """Returns the URL of the named server."""
        return f"{self.url}/{name}/mcp"

    async def hanging(self, count: int) -> None:
        """Returns once exactly that many calls hang."""
        await self._get(f"/hanging/{count}")

    async def sessions(self) -> int:
        """Returns the number of open sessions of the server `full`."""
        return int(await self._get("/sessions"))

    async def _get(self, path: str) -> bytes:
        return await asyncio.to_thread(self._read, path)

    def _read(self, path: str) -> bytes:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read()


@contextlib.contextmanager
def mcp_server_process() -> Iterator[McpServerProcess]:
    """Yields a process that runs until the end of the block, or of the process that started it.

    Raises:
        RuntimeError: The process can't start, for example without `polyant[mcp]`.
    """
    with subprocess.Popen(  # noqa: S603 - a program of this package
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline()
            if not port:
                raise RuntimeError("the MCP server didn't start: install polyant[mcp]")
            yield McpServerProcess(int(port))
        finally:
            process.kill()
