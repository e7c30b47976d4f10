"""A real MCP server, from the official package, in a process of its own."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

_MAIN = Path(__file__).with_name("mcp_server_main.py")


class McpServerProcess:
    """The server, seen from the test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.url = f"http://127.0.0.1:{process.stdout.readline().strip()}"

    def at(self, name: str) -> str:
        """Returns the URL of the server of that name."""
        return f"{self.url}/{name}/mcp"

    async def hanging(self, count: int) -> None:
        """Returns once exactly so many calls hang."""
        async with httpx.AsyncClient(timeout=10) as client:
            (await client.get(f"{self.url}/hanging/{count}")).raise_for_status()

    async def sessions(self) -> int:
        """Returns how many sessions are open."""
        async with httpx.AsyncClient(timeout=10) as client:
            return int((await client.get(f"{self.url}/sessions")).text)


@contextlib.contextmanager
def mcp_server_process() -> Iterator[McpServerProcess]:
    """Gives a server that runs until the block is left."""
    process = subprocess.Popen([sys.executable, _MAIN], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield McpServerProcess(process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
