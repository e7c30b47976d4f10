"""A connection to one MCP server, owned by a separate task."""

import asyncio
import functools
import logging
from typing import Any

import httpx2
from mcp import Client, ClientSession, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import (
    CONNECTION_CLOSED,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    Tool,
)
from pydantic import ValidationError

from polyant import __version__
from polyant.adapters.mcp.bound_transport import BoundTransport
from polyant.adapters.mcp.offers import UnsupportedToolError, offer, spec_of
from polyant.adapters.mcp.public_transport import NotPublicError
from polyant.adapters.mcp.results import text_of
from polyant.domain.ports.tool_servers import MIN_SECRET_CHARACTERS, ServerAccess
from polyant.domain.tools import OfferedTool, ToolError

# The package logs errors with tracebacks, which contain the servers' text. The callers get and log these errors.
logging.getLogger("mcp").setLevel(logging.CRITICAL)
logging.getLogger("client").setLevel(logging.CRITICAL)

_MAX_PAGES = 20
_CLIENT_INFO = Implementation(name="polyant", version=__version__)
_NO_TIMEOUT = httpx2.Timeout(None)  # the caller sets the timeout


class McpConnection:
    """Connects immediately, and stays connected until `finish`.

    The package's context managers must be entered and exited by the same task. A turn may be closed by another task
    than the one that opened it, so each connection has its own task.
    """

    def __init__(self, access: ServerAccess) -> None:
        self.access = access
        self._transport = BoundTransport(access.server.origin, public_only=access.public_only)
        self._listed: asyncio.Future[list[Tool]] = asyncio.get_running_loop().create_future()
        self._finishing = asyncio.Event()
        self._session: ClientSession
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(_retrieve_exception)

    async def tools(self, seconds: float) -> tuple[list[OfferedTool], list[tuple[str, str]]]:
        """Returns the tools to offer, and the name and reason for each allowed tool that can't be offered.

        Args:
            seconds: How long to wait for the server at most.

        Raises:
            ConnectionError: The server can't be used; the message says why.
        """
        await asyncio.wait((self._task, self._listed), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not self._listed.done():
            raise ConnectionError(
                self._failure_reason() if self._task.done() else f"it was not ready in {seconds:g} seconds"
            )
        return self._offers(self._listed.result())

    def finish(self) -> asyncio.Task[None]:
        """Starts closing the connection and returns the task that ends when it is closed."""
        self._finishing.set()
        if not self._listed.done():
            self._task.cancel()
        return self._task

    async def _run(self) -> None:
        headers = {name: value.reveal() for name, value in self.access.headers.items()}
        async with (
            httpx2.AsyncClient(transport=self._transport, headers=headers, timeout=_NO_TIMEOUT) as http,
            Client(
                streamable_http_client(self.access.server.url, http_client=http), client_info=_CLIENT_INFO, cache=None
            ) as client,
        ):
            self._session = client.session
            self._listed.set_result(await _list(client))
            await self._finishing.wait()

    def _offers(self, tools: list[Tool]) -> tuple[list[OfferedTool], list[tuple[str, str]]]:
        offered, refused = [], []
        for tool in tools:
            if self.access.server.allows(tool.name):
                try:
                    description = tool.description or tool.title or tool.name
                    spec = spec_of(self.access.server, tool.name, description, tool.input_schema)
                    offered.append(offer(spec, functools.partial(self._call, tool.name)))
                except UnsupportedToolError as error:
                    refused.append((tool.name, str(error)))
        return offered, refused

    async def _call(self, tool: str, arguments: dict[str, Any]) -> str:
        request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=arguments))
        try:
            # Not `call_tool`: it evaluates regular expressions of the server's schema to validate the result.
            result = await self._session.send_request(request, CallToolResult)
        except MCPError as error:
            closed = error.code == CONNECTION_CLOSED
            raise ToolError(self._failure("closed the connection" if closed else f"reports: {error.message}")) from None
        except ValidationError:
            raise ToolError(self._failure("returned an invalid result")) from None
        text = self._redacted(text_of(result))
        if result.is_error:
            raise ToolError(text or self._failure("reports that the tool failed"))
        return text

    def _failure(self, problem: str) -> str:
        return self._redacted(f"The tool's server {self.access.server.name} {problem}")

    def _redacted(self, text: str) -> str:
        """Returns the text without the headers' values and without the credentials after a scheme such as Bearer."""
        for name, value in self.access.headers.items():
            whole = value.reveal()
            for part in (whole, whole.rpartition(" ")[2]):
                if len(part) >= MIN_SECRET_CHARACTERS:
                    text = text.replace(part, f"[{name}]")
        return text

    def _failure_reason(self) -> str:
        if self._transport.failure is not None:
            return f"it responded with status {self._transport.failure}"
        return _reason(None if self._task.cancelled() else self._task.exception())


async def _list(client: Client) -> list[Tool]:
    tools: list[Tool] = []
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if not cursor:
            break
    return tools


def _reason(error: BaseException | None) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case NotPublicError():
            return "its address isn't on the public internet: a superadmin or the command line must set it"
        case httpx2.TransportError():
            return f"it can't be reached ({type(error).__name__})"
        case MCPError():
            return f"it refused with code {error.code}"
        case _:
            return f"its response can't be used ({type(error).__name__})"


def _retrieve_exception(task: asyncio.Task[None]) -> None:
    """Retrieves the task's exception, so that asyncio doesn't report it; the callers of `tools` get it."""
    if not task.cancelled():
        task.exception()
