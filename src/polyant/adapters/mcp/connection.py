"""A connection to one MCP server, owned by a separate task."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import msgspec
from mcp import Client, ClientSession, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import (
    CONNECTION_CLOSED,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    TextContent,
)
from pydantic import ValidationError

from polyant import __version__
from polyant.adapters.mcp.bound_transport import MAX_BYTES, BoundTransport
from polyant.adapters.mcp.faults import UnusableServerError
from polyant.adapters.mcp.listing import ToolListing
from polyant.adapters.mcp.message_filter import SESSION_FORGOTTEN, UNREADABLE, MessageFilter
from polyant.adapters.mcp.offers import offers_of
from polyant.adapters.mcp.public_transport import NotPublicError
from polyant.adapters.mcp.results import plain_result
from polyant.domain.ports.tool_servers import MIN_SECRET_CHARACTERS, ServerAccess, ServerFault
from polyant.domain.tools import OfferedTool, ToolError
from polyant.domain.trace_context import trace_headers

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
        self.listing = ToolListing()
        self._transport: BoundTransport
        self._session: ClientSession
        self._listed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reopened: asyncio.Future[None] | None = None
        """Set when the second session is wanted, and done when it is open."""
        self._finishing = False
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(_retrieve_exception)

    async def tools(self, seconds: float) -> tuple[list[OfferedTool], list[tuple[str, str]]]:
        """Returns the tools to offer, and the name and reason for each tool that can't be offered.

        Args:
            seconds: How long to wait for the server at most.

        Raises:
            UnusableServerError: The server can't be used; the message says why.
        """
        await asyncio.wait((self._task, self._listed), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not self._listed.done():
            if self._task.done():
                raise self._failure_of_server()
            raise UnusableServerError(f"it was not ready in {seconds:g} seconds", ServerFault.SLOW)
        return await offers_of(self.access.server, self.listing, self._call)

    def finish(self) -> asyncio.Task[None]:
        """Starts closing the connection and returns the task that ends when it is closed."""
        self._finishing = True
        self._wake.set()
        if not self._listed.done():
            self._task.cancel()
        return self._task

    async def _run(self) -> None:
        async with AsyncExitStack() as stack:
            client = await self._open(stack)
            if not await self._list(client):
                client = await self._open_again(stack)
                await self._list(client)
            self._session = client.session
            self._listed.set_result(None)
            await self._wake.wait()
            if not self._finishing:
                # The first session stays open: other calls may still be running in it.
                self._session = (await self._open_again(stack)).session
                if not self._finishing:
                    self._wake.clear()
                    await self._wake.wait()

    async def _open(self, stack: AsyncExitStack) -> Client:
        self._transport = BoundTransport(
            self.access.server.origin,
            public_only=self.access.public_only,
            message_filter=MessageFilter({"tools/list": self._add_page, "tools/call": plain_result}),
            max_bytes=lambda method: self.listing.bytes_left if method == "tools/list" else MAX_BYTES,
        )
        headers = {**trace_headers(self.access.trace), **_revealed(self.access)}
        http = httpx2.AsyncClient(transport=self._transport, headers=headers, timeout=_NO_TIMEOUT)
        # The transport bounds responses, also those of one event.
        streams = streamable_http_client(
            self.access.server.url, http_client=await stack.enter_async_context(http), max_sse_event_size=None
        )
        return await stack.enter_async_context(Client(streams, client_info=_CLIENT_INFO, cache=None))

    def _add_page(self, result: msgspec.Raw) -> bytes:
        return self.listing.add_page(result)

    async def _open_again(self, stack: AsyncExitStack) -> Client:
        client = await self._open(stack)
        self._reopened = self._reopened or asyncio.get_running_loop().create_future()
        self._reopened.set_result(None)
        return client

    async def _list(self, client: Client) -> bool:
        """Reads the list of tools; returns whether the server still knew the session."""
        self.listing = ToolListing()
        cursor: str | None = None
        for page in range(_MAX_PAGES):
            try:
                cursor = (await client.list_tools(cursor=cursor)).next_cursor
            except (MCPError, ValidationError) as error:
                if isinstance(error, MCPError) and error.code == SESSION_FORGOTTEN and self._reopened is None:
                    return False
                if not page:
                    raise
                self.listing.stop(f"page {page + 1} of the list can't be used: {_reason(error)}")
                return True
            if not cursor:
                return True
        self.listing.stop(f"the list has more than {_MAX_PAGES} pages")
        return True

    async def _call(self, tool: str, arguments: dict[str, Any]) -> str:
        session = self._session
        try:
            result = await _request(session, tool, arguments)
        except MCPError as error:
            if error.code != SESSION_FORGOTTEN:
                raise ToolError(self._failure(_problem(error))) from None
            result = await self._call_again(session, tool, arguments)
        except ValidationError:
            raise ToolError(self._failure("returned an invalid result")) from None
        text = self._redacted("\n".join(block.text for block in result.content if isinstance(block, TextContent)))
        if result.is_error:
            raise ToolError(text or self._failure("reports that the tool failed"))
        return text

    async def _call_again(self, forgotten: ClientSession, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """Returns the result of a call that the server refused because it has forgotten the session."""
        if self._session is forgotten and self._reopened is None:
            self._reopened = asyncio.get_running_loop().create_future()
            self._wake.set()
        if self._reopened is not None:
            await asyncio.wait((self._task, self._reopened), return_when=asyncio.FIRST_COMPLETED)
        if self._session is forgotten:
            raise ToolError(self._failure("has ended the session"))
        try:
            return await _request(self._session, tool, arguments)
        except MCPError as error:
            raise ToolError(self._failure(_problem(error))) from None
        except ValidationError:
            raise ToolError(self._failure("returned an invalid result")) from None

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

    def _failure_of_server(self) -> UnusableServerError:
        if self._transport.failure is not None:
            return UnusableServerError(f"it responded with status {self._transport.failure}", ServerFault.REFUSED)
        error = _innermost(None if self._task.cancelled() else self._task.exception())
        return UnusableServerError(_reason(error), _fault_of(error))


async def _request(session: ClientSession, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=arguments))
    # Not `call_tool`: it evaluates regular expressions of the server's schema to validate the result.
    return await session.send_request(request, CallToolResult)


def _problem(error: MCPError) -> str:
    known = {
        CONNECTION_CLOSED: "closed the connection",
        SESSION_FORGOTTEN: "has ended the session",
        UNREADABLE: error.message,
    }
    return known.get(error.code, f"reports: {error.message}")


def _innermost(error: BaseException | None) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _fault_of(error: BaseException | None) -> ServerFault:
    match error:
        case NotPublicError():
            return ServerFault.NOT_PUBLIC
        case httpx2.TransportError():
            return ServerFault.UNREACHABLE
        case _:
            return ServerFault.UNUSABLE


def _reason(error: BaseException | None) -> str:
    match error:
        case NotPublicError():
            return "its address isn't on the public internet: a superadmin or the command line must set it"
        case httpx2.TransportError():
            return f"it can't be reached ({type(error).__name__})"
        case MCPError() if error.code == UNREADABLE:
            return f"it {error.message}"
        case MCPError():
            return f"it refused with code {error.code}"
        case _:
            return f"its response can't be used ({type(error).__name__})"


def _retrieve_exception(task: asyncio.Task[None]) -> None:
    """Retrieves the task's exception, so that asyncio doesn't report it; the callers of `tools` get it."""
    if not task.cancelled():
        task.exception()


def _revealed(access: ServerAccess) -> Mapping[str, str]:
    return {name: value.reveal() for name, value in access.headers.items()}
