"""The program that `polyant.testing.mcp_server` runs: prints its port, then serves until its standard input ends.

/full/mcp offers tools of every kind. /legacy/mcp offers the same tools without support for discovery. /odd/mcp lists
tools of which only one can be offered. /named/mcp lists tools with names that providers reject. /paged/mcp lists its
tools on two pages.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from mcp import types
from mcp.server import MCPServer, Server
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route


class HangingCalls:
    """Counts the hanging calls."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = asyncio.Condition()

    async def hang(self) -> None:
        await self._change(1)
        try:
            await asyncio.Event().wait()
        finally:
            self._leaving = asyncio.ensure_future(self._change(-1))

    async def reach(self, count: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._count == count)

    async def _change(self, by: int) -> None:
        async with self._changed:
            self._count += by
            self._changed.notify_all()


hanging = HangingCalls()
full = MCPServer("full")


@full.tool(description="Adds two numbers.")
def add(a: int, b: int) -> int:
    return a + b


@full.tool()
def fail() -> str:
    raise ToolError("No such order: ask for its number.")


@full.tool()
async def hang() -> str:
    await hanging.hang()
    return ""


@full.tool(structured_output=False)
def headers(context: Context[Any]) -> str:
    request = context.request_context.request
    assert request is not None
    return json.dumps(dict(request.headers))


@full.tool(structured_output=False)
def headers_fail(context: Context[Any]) -> str:
    raise ToolError(headers(context))


@full.tool(structured_output=False)
def large() -> str:
    return "x" * (5 * 1024 * 1024)


@full.tool()
def die() -> str:
    os._exit(1)


@full.tool(structured_output=False)
def show() -> list[types.ContentBlock]:
    text = types.TextResourceContents(uri="file:///notes.txt", text="A note.")
    blob = types.BlobResourceContents(uri="file:///a.bin", blob="AAAA", mime_type="application/octet-stream")
    return [
        types.TextContent(text="See:"),
        types.ImageContent(data="iVBORw0=", mime_type="image/png"),
        types.AudioContent(data="AAAA", mime_type="audio/wav"),
        types.ResourceLink(name="report", uri="https://files.example/report.pdf"),
        types.EmbeddedResource(resource=text),
        types.EmbeddedResource(resource=blob),
    ]


def tool(name: str, **schema: object) -> types.Tool:
    return types.Tool(name=name, input_schema={"type": "object", **schema})


async def list_odd(_: Any, __: Any) -> types.ListToolsResult:
    return types.ListToolsResult(
        tools=[
            tool("good"),
            tool("spaced", properties={"a b": {}}),
            tool("listed", properties=["city"]),
            tool("vast", description="x" * 70_000),
        ]
    )


async def list_named(_: Any, __: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[tool(name) for name in ("has.dot", "a/b", "x" * 100, f"{'x' * 100}y", "plain")])


async def list_paged(_: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    if params is not None and params.cursor:
        return types.ListToolsResult(tools=[tool("second")])
    return types.ListToolsResult(tools=[tool("first")], next_cursor="more")


async def call(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    return types.CallToolResult(content=[], structured_content={"called": params.name})


SERVERS = {
    "full": full.streamable_http_app(),
    "odd": Server("odd", on_list_tools=list_odd, on_call_tool=call).streamable_http_app(),
    "named": Server("named", on_list_tools=list_named, on_call_tool=call).streamable_http_app(),
    "paged": Server("paged", on_list_tools=list_paged, on_call_tool=call).streamable_http_app(),
}


async def legacy(scope: Any, receive: Any, send: Any) -> None:
    """Rejects the discovery request that current clients send first, as an older server does."""
    if dict(scope["headers"]).get(b"mcp-method") == b"server/discover":
        await PlainTextResponse("", status_code=404)(scope, receive, send)
    else:
        await SERVERS["full"](scope, receive, send)


async def reach(request: Request) -> PlainTextResponse:
    await hanging.reach(int(request.path_params["count"]))
    return PlainTextResponse("")


async def sessions(_: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(full.session_manager._server_instances)))  # noqa: SLF001 - nothing public counts them


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        for server in SERVERS.values():
            await stack.enter_async_context(server.router.lifespan_context(server))
        yield


app = Starlette(
    routes=[
        Route("/hanging/{count}", reach),
        Route("/sessions", sessions),
        Mount("/legacy", legacy),
        *(Mount(f"/{name}", server) for name, server in SERVERS.items()),
    ],
    lifespan=lifespan,
)


def end_with_the_parent() -> None:
    """Ends this process once nobody can write to its standard input any more."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)  # noqa: T201 - the test reads it
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listening])
