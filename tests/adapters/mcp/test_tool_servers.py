"""Log records about unusable servers, and the handling of misbehaving ones."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator

import msgspec
import pytest

from polyant.adapters.mcp.tool_servers import McpToolServers
from polyant.domain.instances import Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.ports.tool_servers import ServerAccess
from polyant.domain.trace_context import TraceContext
from polyant.testing.mcp_server import mcp_server_process
from polyant.testing.tool_servers import call
from support.logs import collected, fields_of
from support.mcp_replies import FIND, INITIALIZED, answering
from support.patience import PATIENCE, seconds
from support.upstream import DROP, HANG_BEFORE_HEAD, Reply, ScriptedUpstream, Then

SLUG = Slug("demo-bot")
OVER_AT_ONCE = seconds(0.6)
OPEN_SECONDS = round(seconds(1.2), 2)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


def access(url: str, name: str = "crm") -> ServerAccess:
    return ServerAccess(server=McpServer(name=name, url=url, tools=("*",)))


async def reason_for_omission(url: str) -> str:
    """Returns the logged reason why a server is not used."""
    with collected("polyant.mcp") as records:
        async with McpToolServers(open_seconds=OPEN_SECONDS).open(SLUG, [access(url)]) as opened:
            assert list(opened.tools) == []
    (record,) = records
    fields = fields_of(record)
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "MCP server not used"
    assert (fields["slug"], fields["server"]) == (SLUG, "crm")
    assert url.startswith(str(fields["origin"]).removesuffix(":80"))
    return str(fields["why"])


def test_package_is_imported_only_when_a_server_is_opened() -> None:
    program = "import sys, polyant.adapters.mcp.tool_servers as t; t.McpToolServers(); print('mcp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


async def test_missing_package_removes_the_tools_and_is_logged_with_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "polyant.adapters.mcp.connection", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)
    with collected("polyant.mcp") as records:
        async with McpToolServers().open(SLUG, [access("http://localhost:1/", "a")]) as opened:
            assert list(opened.tools) == []
    assert [fields_of(record)["why"] for record in records] == [
        "the MCP package is not installed: pip install polyant[mcp]"
    ]


async def test_unreachable_server_is_logged() -> None:
    assert await reason_for_omission("http://127.0.0.1:9/mcp") == "it can't be reached (ConnectError)"


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(status=401), "it responded with status 401"),
        (Reply(status=404), "it responded with status 404"),
        (Reply(status=500, pieces=(b"<html>",)), "it responded with status 500"),
        (HANG_BEFORE_HEAD, f"it was not ready in {OPEN_SECONDS:g} seconds"),
        (DROP, "it can't be reached (RemoteProtocolError)"),
        (Reply(framing="raw", pieces=(b"\x00rubbish\r\n\r\n", Then.CUT)), "it can't be reached (RemoteProtocolError)"),
        (Reply(headers={"Content-Type": "text/html"}, pieces=(b"<html>",)), "it refused with code -32600"),
        (Reply(headers={"Content-Type": "application/json"}, pieces=(b"{",)), "it refused with code -32700"),
        (Reply(status=307, headers={"Location": "http://other.example/"}), "it refused with code -32600"),
        (Reply(status=202), "it refused with code -32600"),
    ],
    ids=["401", "404", "500", "hangs", "drops", "invalid", "html", "broken", "redirects", "empty"],
)
async def test_misbehaving_server_is_logged_with_the_reason(upstream: ScriptedUpstream, reply: Reply, why: str) -> None:
    upstream.otherwise = reply
    assert await reason_for_omission(f"{upstream.url}/mcp") == why


@pytest.mark.parametrize("listing", [{"tools": "all"}, {"tools": None}, {}], ids=["no list", "null", "nothing"])
async def test_invalid_tool_list_is_logged(upstream: ScriptedUpstream, listing: object) -> None:
    upstream.otherwise = answering({"initialize": INITIALIZED, "tools/list": listing})
    assert await reason_for_omission(upstream.url) == "its response can't be used (ValidationError)"


async def test_endless_pages_are_read_up_to_a_limit(upstream: ScriptedUpstream) -> None:
    endless = {**FIND, "nextCursor": "more"}
    upstream.otherwise = answering({"initialize": INITIALIZED, "tools/list": endless})
    async with McpToolServers().open(SLUG, [access(upstream.url)]) as opened:
        assert {tool.spec.name for tool in opened.tools} == {"crm__find"}
    assert 2 <= sum(b"tools/list" in request.body for request in upstream.requests) <= 20


async def test_all_pages_are_read() -> None:
    with mcp_server_process() as process:
        async with McpToolServers().open(SLUG, [access(process.at("paged"))]) as opened:
            assert [tool.spec.name for tool in opened.tools] == ["crm__first", "crm__second"]
            assert await call(opened.tools[1]) == '{"called":"second"}'


async def test_server_that_ignores_the_closing_request_delays_nothing(upstream: ScriptedUpstream) -> None:
    upstream.otherwise = answering({"initialize": INITIALIZED, "tools/list": FIND}, closing=HANG_BEFORE_HEAD)
    before = asyncio.all_tasks()
    scope = McpToolServers().open(SLUG, [access(upstream.url), access(upstream.url, "again")])
    assert len((await scope.__aenter__()).tools) == 2
    async with asyncio.timeout(OVER_AT_ONCE):
        await scope.__aexit__(None, None, None)
    assert asyncio.all_tasks() - upstream._tasks == before
    for request in upstream.requests:
        await request.hung_up.wait()


async def test_server_that_hangs_in_a_call_and_at_closing_delays_nothing(
    upstream: ScriptedUpstream,
) -> None:
    results = {"initialize": INITIALIZED, "tools/list": FIND, "tools/call": HANG_BEFORE_HEAD}
    upstream.otherwise = answering(results, closing=HANG_BEFORE_HEAD)
    async with McpToolServers().open(SLUG, [access(upstream.url)]) as opened:
        (find,) = opened.tools
        calls = [asyncio.create_task(call(find)) for _ in range(3)]
        while sum(b"tools/call" in request.body for request in upstream.requests) < 3:
            await upstream.request(len(upstream.requests))
        for each in calls:
            each.cancel()
        async with asyncio.timeout(OVER_AT_ONCE):
            await asyncio.wait(calls)
    assert all(each.cancelled() for each in calls)


async def test_every_request_carries_the_trace_of_the_turn(upstream: ScriptedUpstream) -> None:
    upstream.otherwise = answering({})
    trace = TraceContext(trace_id="a" * 32, span_id="b" * 16, state="vendor=1")
    traced = msgspec.structs.replace(access(f"{upstream.url}/mcp"), trace=trace)
    async with McpToolServers(open_seconds=PATIENCE).open(SLUG, [traced]) as opened:
        assert opened.tools
    assert len(upstream.posts) > 1
    assert {request.headers.get("traceparent") for request in upstream.posts} == {trace.headers["traceparent"]}
    assert {request.headers.get("tracestate") for request in upstream.posts} == {"vendor=1"}


async def test_proxies_of_the_environment_are_not_used(
    upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    upstream.otherwise = answering({})
    async with McpToolServers(open_seconds=PATIENCE).open(SLUG, [access(f"{upstream.url}/mcp")]) as opened:
        assert [tool.spec.name for tool in opened.tools] == ["crm__find"]
