"""Servers whose lists and results are faulty, vast or broken off, over real sockets."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from polyant.adapters.mcp.tool_servers import McpToolServers
from polyant.domain.instances import Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.ports.tool_servers import OpenedServers, ServerAccess
from polyant.domain.tools import OfferedTool, ToolError
from polyant.testing.tool_servers import call
from support.logs import collected, fields_of
from support.mcp_replies import SESSION, answering, result_reply
from support.patience import PATIENCE
from support.upstream import Received, Reply, ScriptedUpstream, json_reply

SLUG = Slug("demo-bot")
OBJECT: dict[str, Any] = {"type": "object", "properties": {}}
MIB = 1024 * 1024


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


@asynccontextmanager
async def opened(upstream: ScriptedUpstream, results: dict[str, Any]) -> AsyncIterator[OpenedServers]:
    upstream.otherwise = answering(results)
    access = ServerAccess(server=McpServer(name="crm", url=f"{upstream.url}/mcp", tools=("*",)))
    async with McpToolServers(open_seconds=PATIENCE).open(SLUG, [access]) as found:
        yield found


def names(found: OpenedServers) -> list[str]:
    return [tool.spec.name for tool in found.tools]


def reasons(found: OpenedServers) -> dict[str | None, str]:
    return {omission.tool: omission.reason for omission in found.omissions}


async def found_tool(upstream: ScriptedUpstream, result: Any) -> Any:
    """Returns the result of a call to which the server gives this result."""
    async with opened(upstream, {"tools/call": result}) as found:
        (tool,) = found.tools
        return await call(tool)


def requests_for(upstream: ScriptedUpstream, method: str) -> list[Received]:
    return [each for each in upstream.posts if each.json()["method"] == method]


def as_events(document: object, *, line_end: str = "\n", pieces: int = 1) -> Reply:
    """Returns a reply with the document as an event after a notification."""
    notice = msgspec.json.encode({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}).decode()
    lines = [": hello", "", f"data: {notice}", "", "event: message", "id: 7"]
    lines += [f"data: {msgspec.json.encode(document).decode()}", "", ""]
    body = line_end.join(lines).encode()
    size = len(body) // pieces + 1
    chunks = tuple(body[start : start + size] for start in range(0, len(body), size))
    return Reply(headers={"Content-Type": "text/event-stream"}, pieces=chunks, framing="chunked")


def document_of(request: Received, result: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": request.json()["id"], "result": result}


# lists


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ({"name": "bad"}, "bad"),
        ({"name": "bad", "inputSchema": None}, "bad"),
        ({"name": "bad", "inputSchema": []}, "bad"),
        ({"name": "bad", "inputSchema": True}, "bad"),
        ({"name": "bad", "inputSchema": {"type": "string"}}, "bad"),
        ({"name": "bad", "inputSchema": OBJECT, "annotations": "none"}, "bad"),
        ({"name": "bad", "inputSchema": OBJECT, "annotations": {"readOnlyHint": "maybe"}}, "bad"),
        ({"name": 5, "inputSchema": OBJECT}, "number 2"),
        ({"inputSchema": OBJECT}, "number 2"),
        ({"name": "", "inputSchema": OBJECT}, "number 2"),
        ("bad", "number 2"),
        (None, "number 2"),
        ({"name": "first", "inputSchema": OBJECT}, "first"),
        ({"name": "bad", "inputSchema": {"type": "object", "description": "x" * 70_000}}, "bad"),
    ],
)
async def test_one_bad_tool_does_not_lose_the_others(upstream: ScriptedUpstream, tool: Any, name: str) -> None:
    listing = {"tools": [{"name": "first", "inputSchema": OBJECT}, tool, {"name": "last", "inputSchema": OBJECT}]}
    with collected("polyant.mcp") as records:
        async with opened(upstream, {"tools/list": listing}) as found:
            assert names(found) == ["crm__first", "crm__last"]
            assert list(reasons(found)) == [name]
    assert [(record.getMessage(), fields_of(record)["tool"]) for record in records] == [("MCP tool not offered", name)]


async def test_many_bad_tools_do_not_flood_the_log(upstream: ScriptedUpstream) -> None:
    with collected("polyant.mcp") as records:
        async with opened(
            upstream, {"tools/list": {"tools": [{"name": f"t{number}"} for number in range(500)]}}
        ) as found:
            assert len(found.omissions) == 500
    assert len(records) == 21
    assert fields_of(records[-1])["tools"] == 480


@pytest.mark.parametrize(
    "oddity",
    [
        *({"description": 5}, {"title": []}, {"icons": "x"}, {"_meta": 1}, {"outputSchema": "x"}, {"execution": 5}),
        *(
            {"annotations": None},
            {"annotations": {"readOnlyHint": None, "new": 1}},
            {"description": None},
            {"extra": {}},
        ),
    ],
)
async def test_unused_fields_of_a_tool_may_have_any_value(upstream: ScriptedUpstream, oddity: dict[str, Any]) -> None:
    listing = {"tools": [{"name": "find", "inputSchema": OBJECT, **oddity}]}
    async with opened(upstream, {"tools/list": listing}) as found:
        assert names(found) == ["crm__find"]


async def test_lone_surrogates_and_invalid_utf8_lose_no_tool(upstream: ScriptedUpstream) -> None:
    def reply(request: Received) -> Reply:
        head = b'{"jsonrpc":"2.0","id":%d,"result":{"tools":[' % request.json()["id"]
        tool = b'{"name":"find","description":"a\\udcaf\xff b","inputSchema":{"type":"object"}}'
        return Reply(headers={"Content-Type": "application/json"}, pieces=(head + tool + b"]}}",))

    async with opened(upstream, {"tools/list": reply}) as found:
        assert [tool.spec.description for tool in found.tools] == ["a\ufffd\ufffd b"]


async def test_only_the_first_thousand_tools_of_a_list_are_kept(upstream: ScriptedUpstream) -> None:
    tools = [{"name": f"t{number}", "inputSchema": {"type": "object"}} for number in range(80_000)]
    reply = Reply()

    def listing(request: Received) -> Reply:
        nonlocal reply
        reply = reply if reply.pieces else result_reply(request, {"tools": tools})
        return reply

    tracemalloc.start()
    try:
        async with opened(upstream, {"tools/list": listing}) as found:
            assert names(found)[:2] == ["crm__t0", "crm__t1"]
            assert len(found.tools) == 1_000
            assert reasons(found) == {None: "the server lists more than 1000 tools: only the first 1000 are used"}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * sum(len(piece) for piece in reply.pieces if isinstance(piece, bytes))


async def test_list_of_more_than_4_mib_is_not_read_to_its_end(upstream: ScriptedUpstream) -> None:
    piece = b'{"name":"t","inputSchema":{"type":"object"}},' * 1_000
    sent = Reply(
        headers={"Content-Type": "application/json"},
        pieces=(b'{"result":{"tools":[', *[piece] * 2_000),
        framing="chunked",
    )
    async with opened(upstream, {"tools/list": sent}) as found:
        assert names(found) == []
        assert reasons(found) == {None: "it returned more than the allowed 4 MiB"}


async def test_limits_hold_for_all_pages_together(upstream: ScriptedUpstream) -> None:
    def page(request: Received) -> object:
        start = int(request.json().get("params", {}).get("cursor") or 0)
        tools = [{"name": f"t{number}", "inputSchema": OBJECT} for number in range(start, start + 400)]
        return {"tools": tools, "nextCursor": str(start + 400)}

    async with opened(upstream, {"tools/list": page}) as found:
        assert len(found.tools) == 1_000
    assert len(requests_for(upstream, "tools/list")) == 3


async def test_bytes_are_counted_over_all_pages(upstream: ScriptedUpstream) -> None:
    def page(request: Received) -> object:
        number = int(request.json().get("params", {}).get("cursor") or 0)
        tool = {"name": f"t{number}", "inputSchema": OBJECT, "_meta": {"padding": "x" * MIB}}
        return {"tools": [tool], "nextCursor": str(number + 1)}

    async with opened(upstream, {"tools/list": page}) as found:
        assert names(found) == ["crm__t0", "crm__t1", "crm__t2"]
        assert reasons(found) == {None: "page 4 of the list can't be used: it returned more than the allowed 4 MiB"}


async def test_repeating_cursor_ends_the_list(upstream: ScriptedUpstream) -> None:
    listing = {"tools": [{"name": "find", "inputSchema": OBJECT}], "nextCursor": "more"}
    async with opened(upstream, {"tools/list": listing}) as found:
        assert names(found) == ["crm__find"]
        assert reasons(found)[None] == "the server's pages repeat"
    assert len(requests_for(upstream, "tools/list")) == 2


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("pieces", [1, 3, 1_000_000])
async def test_list_and_result_may_be_event_streams(upstream: ScriptedUpstream, line_end: str, pieces: int) -> None:
    def listing(request: Received) -> Reply:
        tools = [{"name": "find", "inputSchema": OBJECT}, {"name": "bad"}]
        return as_events(document_of(request, {"tools": tools}), line_end=line_end, pieces=pieces)

    def result(request: Received) -> Reply:
        content = [{"type": "text", "text": "a\nb"}, {"type": "hologram"}]
        return as_events(document_of(request, {"content": content}), line_end=line_end, pieces=pieces)

    async with opened(upstream, {"tools/list": listing, "tools/call": result}) as found:
        assert (names(found), list(reasons(found))) == (["crm__find"], ["bad"])
        assert await call(found.tools[0]) == "a\nb\n[Content of type hologram that can't be read]"


async def test_endless_event_stream_is_cut_off(upstream: ScriptedUpstream) -> None:
    event = b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}\n\n'
    for flood in (event * 20_000, b"\n" * 5 * MIB, b": comment\n\n" * MIB, b"data: " + b"x" * 5 * MIB):
        reply = Reply(headers={"Content-Type": "text/event-stream"}, pieces=(flood,))
        async with opened(upstream, {"tools/list": reply}) as found:
            assert reasons(found) == {None: "it returned more than the allowed 4 MiB"}


# encodings


def encoded(body: bytes, encoding: str) -> Reply:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    return Reply(headers=headers, pieces=(body,))


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("x-GZIP", gzip.compress), ("deflate", zlib.compress)]
)
async def test_compressed_response_is_decoded(
    upstream: ScriptedUpstream, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    def result(request: Received) -> Reply:
        document = document_of(request, {"content": [{"type": "text", "text": "Hello" * 50_000}]})
        return encoded(compress(msgspec.json.encode(document)), encoding)

    assert await found_tool(upstream, result) == "Hello" * 50_000


async def test_compressed_bomb_is_not_inflated(upstream: ScriptedUpstream) -> None:
    bomb = gzip.compress(b" " * 200 * MIB, compresslevel=1)
    tracemalloc.start()
    try:
        async with opened(upstream, {"tools/list": encoded(bomb, "gzip")}) as found:
            assert reasons(found) == {None: "it returned more than the allowed 4 MiB"}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 * MIB


@pytest.mark.parametrize(("encoding", "body"), [("br", b"{}"), ("gzip", b"no gzip"), ("gzip, gzip", b"{}")])
async def test_unreadable_encoding_is_named(upstream: ScriptedUpstream, encoding: str, body: bytes) -> None:
    async with opened(upstream, {"tools/list": encoded(body, encoding)}) as found:
        assert reasons(found) == {None: "it returned an unsupported content encoding"}


# results


async def test_vast_result_fails_only_its_own_call(upstream: ScriptedUpstream) -> None:
    def result(request: Received) -> object:
        size = request.json()["params"]["arguments"]["size"]
        return {"content": [{"type": "text", "text": "x" * size}]}

    async with opened(upstream, {"tools/call": result}) as found:
        (tool,) = found.tools
        with pytest.raises(ToolError, match="The tool's server crm returned more than the allowed 4 MiB"):
            await call(tool, size=5 * MIB)
        assert await call(tool, size=3) == "xxx"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"content": [], "structuredContent": {"a": 1}}, '{"a":1}'),
        ({"structuredContent": {"a": 1}}, '{"a":1}'),
        ({"content": None, "structuredContent": [1]}, "[1]"),
        ({"content": [{"type": "text", "text": " "}], "structuredContent": {"a": 1}}, '{"a":1}'),
        ({"content": [{"type": "text", "text": "Found."}], "structuredContent": {"a": 1}}, 'Found.\n{"a":1}'),
        ({"content": [{"type": "text", "text": '{ "a": 1 }'}], "structuredContent": {"a": 1}}, '{ "a": 1 }'),
        ({"content": [{"type": "text", "text": "5"}], "structuredContent": None}, "5"),
        ({"content": [{"type": "hologram", "data": "…"}, {"type": "text", "text": "Good."}]}, None),
    ],
)
async def test_structured_content_reaches_the_model(
    upstream: ScriptedUpstream, result: dict[str, Any], text: str | None
) -> None:
    expected = "[Content of type hologram that can't be read]\nGood." if text is None else text
    assert await found_tool(upstream, result) == expected


@pytest.mark.parametrize("result", [{}, {"content": 5}, {"content": None}, [], "text"])
async def test_invalid_result_is_a_tool_error(upstream: ScriptedUpstream, result: Any) -> None:
    with pytest.raises(ToolError, match="The tool's server crm"):
        await found_tool(upstream, result)


async def test_request_for_input_is_a_tool_error(upstream: ScriptedUpstream) -> None:
    with pytest.raises(ToolError, match="asks for more input"):
        await found_tool(upstream, {"resultType": "input_required", "inputRequests": {}})


# sessions


class ForgetfulServer:
    """Gives each client a new session, and forgets a session before its `calls`-th call."""

    def __init__(self, *, forgets: int, listing: bool = False) -> None:
        self.sessions = 0
        self.calls = 0
        self._forgets = forgets
        self._listing = listing

    @property
    def results(self) -> dict[str, Any]:
        return {"initialize": self.initialize, "tools/list": self.list, "tools/call": self.call}

    def initialize(self, request: Received) -> Reply:
        self.sessions += 1
        result = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "s", "version": "1"},
        }
        return result_reply(request, result, session=f"session-{self.sessions}")

    def list(self, request: Received) -> object:
        if self._listing and self._forgotten(request):
            return Reply(status=404)
        return {"tools": [{"name": "find", "inputSchema": OBJECT}]}

    def call(self, request: Received) -> object:
        if self._forgotten(request):
            error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "Session not found"}}
            return json_reply(error, status=404)
        self.calls += 1
        return {"content": [{"type": "text", "text": request.headers["mcp-session-id"]}]}

    def _forgotten(self, request: Received) -> bool:
        return int(request.headers["mcp-session-id"].rpartition("-")[2]) <= self._forgets


async def test_forgotten_session_is_opened_again_and_the_call_repeated(upstream: ScriptedUpstream) -> None:
    server = ForgetfulServer(forgets=1)
    async with opened(upstream, server.results) as found:
        (tool,) = found.tools
        assert await call(tool) == "session-2"
        assert await call(tool) == "session-2"
    assert (server.sessions, server.calls) == (2, 2)


async def test_concurrent_calls_share_the_new_session(upstream: ScriptedUpstream) -> None:
    server = ForgetfulServer(forgets=1)
    async with opened(upstream, server.results) as found:
        (tool,) = found.tools
        assert await asyncio.gather(*(call(tool) for _ in range(5))) == ["session-2"] * 5
    assert (server.sessions, server.calls) == (2, 5)


async def test_session_is_opened_again_only_once_in_a_turn(upstream: ScriptedUpstream) -> None:
    server = ForgetfulServer(forgets=9)
    async with opened(upstream, server.results) as found:
        (tool,) = found.tools
        for _ in range(2):
            with pytest.raises(ToolError, match="The tool's server crm has ended the session"):
                await call(tool)
    assert (server.sessions, server.calls) == (2, 0)


async def test_session_forgotten_while_listing_is_opened_again(upstream: ScriptedUpstream) -> None:
    server = ForgetfulServer(forgets=1, listing=True)
    async with opened(upstream, server.results) as found:
        (tool,) = found.tools
        assert await call(tool) == "session-2"
    assert server.sessions == 2


async def test_error_of_another_kind_is_not_repeated(upstream: ScriptedUpstream) -> None:
    def fail(request: Received) -> Reply:
        error = {"code": -32602, "message": "No such order"}
        return json_reply({"jsonrpc": "2.0", "id": request.json()["id"], "error": error})

    async with opened(upstream, {"tools/call": fail}) as found:
        (tool,) = found.tools
        with pytest.raises(ToolError, match="reports: No such order"):
            await call(tool)
    assert len(requests_for(upstream, "tools/call")) == 1
    assert requests_for(upstream, "tools/call")[0].headers["mcp-session-id"] == SESSION


async def test_server_that_fails_while_the_session_is_opened_again_ends_the_call(upstream: ScriptedUpstream) -> None:
    def refuse(_: Received) -> Reply:
        return Reply(status=404)

    async with opened(upstream, {"tools/call": refuse}) as found:
        (tool,) = found.tools
        upstream.otherwise = answering({"tools/call": refuse, "initialize": Reply(status=500)})
        with pytest.raises(ToolError):
            await call(tool)


# aliases


async def test_alias_is_logged_once_with_the_original_name(upstream: ScriptedUpstream) -> None:
    upstream.otherwise = answering({"tools/list": {"tools": [{"name": "orders/find.all", "inputSchema": OBJECT}]}})
    access = ServerAccess(server=McpServer(name="crm", url=upstream.url, tools=("orders/find.all",)))
    servers, tools = McpToolServers(), list[OfferedTool]()
    with collected("polyant.mcp") as records:
        for _ in range(2):
            async with servers.open(SLUG, [access]) as found:
                tools += found.tools
    (record,) = records
    assert record.getMessage() == "MCP tool renamed"
    alias = fields_of(record)["alias"]
    assert fields_of(record) == {"slug": SLUG, "server": "crm", "tool": "orders/find.all", "alias": alias}
    assert {tool.spec.name for tool in tools} == {alias}
    assert str(alias).startswith("crm__orders_find_all_")
