import asyncio
from typing import Any

import msgspec
import pytest

from polyant.adapters.tools.http_request_tool import HttpRequestTool
from polyant.adapters.tools.http_response import MAX_BODY_BYTES
from polyant.domain.errors import InvalidInputError
from polyant.domain.injectables import HttpToolHosts
from polyant.domain.tools import ToolError
from polyant.testing.fake_network import FakeNetwork
from polyant.testing.manual_clock import ManualClock
from polyant.testing.tool import CONTEXT, ToolRun, result_of
from support.patience import PATIENCE
from support.upstream import HANG_BEFORE_HEAD, Gate, Reply, ScriptedUpstream, Then, json_reply

PUBLIC = "93.184.215.14"


@pytest.fixture
def tool(network: FakeNetwork, upstream: ScriptedUpstream) -> HttpRequestTool:
    """A tool without allowed hosts, on a network where example.com is the upstream."""
    network.name("example.com", PUBLIC)
    network.name("other.example", PUBLIC)
    network.place(PUBLIC, upstream.url)
    return HttpRequestTool(clock=ManualClock(), http_tool_hosts=HttpToolHosts(frozenset()), resolver=network)


async def send(tool: HttpRequestTool, url: str = "http://example.com/", **more: Any) -> str:
    return await result_of(tool, ToolRun(arguments={"url": url, **more}))


def redirect(location: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": location})


async def test_response_is_the_result(tool: HttpRequestTool, upstream: ScriptedUpstream) -> None:
    upstream.replies.append(json_reply({"ants": 3}))
    result = await send(tool, "http://example.com/ants?of=us#top")
    assert result == (
        "Status: 200 OK\nURL: http://example.com/ants?of=us\nContent-Type: application/json\nContent-Length: 10\n\n"
        '{"ants":3}'
    )
    assert upstream.requests[0].path == "/ants?of=us"


async def test_error_response_is_a_result(tool: HttpRequestTool, upstream: ScriptedUpstream) -> None:
    upstream.replies.append(json_reply({"error": "no"}, status=403))
    assert "Status: 403 Forbidden" in await send(tool)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def test_request_is_sent_as_given(method: str, tool: HttpRequestTool, upstream: ScriptedUpstream) -> None:
    upstream.otherwise = Reply(status=204)
    await send(tool, method=method, headers={"X-Key": "k"})
    (request,) = upstream.requests
    assert request.method == method
    assert request.headers["host"] == "example.com"
    assert request.headers["x-key"] == "k"
    assert request.headers["user-agent"] == "polyant"
    assert request.headers["accept-encoding"] == "identity"


async def test_body_is_sent(tool: HttpRequestTool, upstream: ScriptedUpstream) -> None:
    await send(tool, method="POST", json={"a": 1})
    await send(tool, method="PUT", text="é")
    assert [(request.headers["content-type"], request.body) for request in upstream.requests] == [
        ("application/json", b'{"a":1}'),
        ("text/plain; charset=utf-8", "é".encode()),
    ]


async def test_redirects_are_followed(tool: HttpRequestTool, upstream: ScriptedUpstream) -> None:
    upstream.replies.extend([redirect("/b"), redirect("http://other.example/c", 307)])
    result = await send(tool, headers={"Authorization": "Bearer x", "Accept": "text/html"})
    assert "URL: http://other.example/c" in result
    assert [(got.headers["host"], got.path, got.headers.get("authorization")) for got in upstream.requests] == [
        ("example.com", "/", "Bearer x"),
        ("example.com", "/b", "Bearer x"),
        ("other.example", "/c", None),
    ]


async def test_five_redirects_are_followed_and_a_sixth_is_refused(
    tool: HttpRequestTool, upstream: ScriptedUpstream
) -> None:
    upstream.replies.extend([redirect("/again")] * 5)
    assert "Status: 200" in await send(tool)
    upstream.replies.extend([redirect("/again")] * 6)
    with pytest.raises(ToolError, match="more than 5 redirects"):
        await send(tool)


@pytest.mark.parametrize(
    "reply", [Reply(status=302), Reply(status=304, headers={"Location": "/x"}), redirect("/x", 300)]
)
async def test_unfollowable_redirect_is_a_result(
    reply: Reply, tool: HttpRequestTool, upstream: ScriptedUpstream
) -> None:
    upstream.replies.append(reply)
    assert f"Status: {reply.status}" in await send(tool)
    assert len(upstream.requests) == 1


async def test_cookies_are_not_kept(tool: HttpRequestTool, upstream: ScriptedUpstream) -> None:
    upstream.replies.append(Reply(status=302, headers={"Location": "/b", "Set-Cookie": "c=1"}))
    await send(tool)
    await send(tool)
    assert [request.headers.get("cookie") for request in upstream.requests] == [None] * 3


async def test_connections_are_not_reused(tool: HttpRequestTool, upstream: ScriptedUpstream) -> None:
    await send(tool)
    await send(tool)
    assert [request.connection for request in upstream.requests] == [1, 2]


async def test_endless_body_is_truncated(tool: HttpRequestTool, upstream: ScriptedUpstream) -> None:
    assert f"the first {MAX_BODY_BYTES // 1024} KiB of it" in tool.description
    more = tuple(b"x" * 65_536 for _ in range(8))
    upstream.replies.append(Reply(headers={"Content-Type": "text/plain"}, framing="chunked", pieces=(*more, Then.HANG)))
    head, _, body = (await send(tool)).partition("\n\n")
    assert "Note: the body is truncated" in head
    assert body == "x" * MAX_BODY_BYTES
    await upstream.requests[0].hung_up.wait()


@pytest.mark.parametrize("reply", [HANG_BEFORE_HEAD, Reply(framing="chunked", pieces=(b"begin", Then.HANG))])
async def test_slow_server_fails_before_the_deadline(
    reply: Reply, tool: HttpRequestTool, upstream: ScriptedUpstream
) -> None:
    upstream.replies.append(reply)
    run = ToolRun(arguments={"url": "http://example.com/"}, context=msgspec.structs.replace(CONTEXT, deadline=0.2))
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ToolError, match=r"example\.com did not respond in time"):
            await result_of(tool, run)
        await upstream.requests[0].hung_up.wait()


async def test_expired_deadline_is_a_failure(tool: HttpRequestTool, upstream: ScriptedUpstream) -> None:
    context = msgspec.structs.replace(CONTEXT, deadline=-1.0)
    with pytest.raises(ToolError, match="did not respond in time"):
        await result_of(tool, ToolRun(arguments={"url": "http://example.com/"}, context=context))
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(framing="raw", pieces=(Then.CUT,)), "broke off"),
        (Reply(framing="chunked", pieces=(b"begin", Then.CUT)), "broke off"),
        (Reply(framing="raw", pieces=(b"SSH-2.0-OpenSSH\r\n\r\n", Then.CUT)), "isn't HTTP"),
    ],
)
async def test_broken_response_is_a_failure_with_the_reason(
    reply: Reply, reason: str, tool: HttpRequestTool, upstream: ScriptedUpstream
) -> None:
    upstream.otherwise = reply
    with pytest.raises(ToolError, match=reason):
        await send(tool)


async def test_unknown_host_is_a_failure_with_the_reason(tool: HttpRequestTool) -> None:
    with pytest.raises(ToolError, match=r"The host nowhere\.example is unknown"):
        await send(tool, "http://nowhere.example/")


async def test_server_without_tls_is_a_failure_with_the_reason(tool: HttpRequestTool, network: FakeNetwork) -> None:
    async def speak_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(speak_plainly, "127.0.0.1", 0) as server:
        network.place(PUBLIC, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(ToolError, match=r"The TLS connection to example\.com failed"):
            await send(tool, "https://example.com/")


async def test_runs_are_concurrent(tool: HttpRequestTool, upstream: ScriptedUpstream) -> None:
    gate = Gate()
    upstream.replies.append(Reply(framing="chunked", pieces=(b"slow", gate)))
    slow = asyncio.create_task(send(tool))
    await gate.reached.wait()
    assert "what stands inside" in await send(tool)
    assert not slow.done()
    gate.open()
    assert "slow" in await slow


def test_invalid_allowed_host_is_reported() -> None:
    with pytest.raises(InvalidInputError, match="Invalid allowed host"):
        HttpRequestTool(clock=ManualClock(), http_tool_hosts=HttpToolHosts(frozenset({"http://inside/"})))
