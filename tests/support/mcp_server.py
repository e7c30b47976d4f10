"""A real MCP server from the official package, in a separate process."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from support import launching
from support.patience import PATIENCE

_MAIN = Path(__file__).with_name("mcp_server_main.py")


class McpServerProcess:
    """The test's handle to the server process."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def at(self, name: str) -> str:
        """Returns the URL of the named server."""
        return f"{self.url}/{name}/mcp"

    async def hanging(self, count: int) -> None:
        """Returns once exactly `count` calls are hanging."""
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            (await client.get(f"{self.url}/hanging/{count}")).raise_for_status()

    async def sessions(self) -> int:
        """Returns the number of open sessions."""
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            return int((await client.get(f"{self.url}/sessions")).text)


@contextlib.contextmanager
def mcp_server_process() -> Iterator[McpServerProcess]:
    """Yields a server that runs until the end of the block."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as output, open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path
        try:
            process = launching.start(
                [sys.executable, _MAIN], cwd=_MAIN.parent, env=os.environ, stdout=writing, stderr=nowhere
            )
        finally:
            os.close(writing)
        try:
            yield McpServerProcess(int(output.readline()))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
