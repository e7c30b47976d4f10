from collections.abc import AsyncIterator

import httpx2
import pytest

from polyant.adapters.mcp import bound_transport
from polyant.adapters.mcp.bound_transport import BoundTransport
from polyant.domain.urls import origin_of
from support.upstream import Reply, ScriptedUpstream


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


def client_for(url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=BoundTransport(origin_of(url)), headers={"X-Key": "secret-0123456789"})


async def test_request_to_its_origin_is_sent_without_compression(upstream: ScriptedUpstream) -> None:
    upstream.otherwise = Reply(pieces=(b"Hello",))
    async with client_for(upstream.url) as client:
        assert (await client.get(f"{upstream.url}/path?a=1")).text == "Hello"
    (request,) = upstream.requests
    assert (request.headers["x-key"], request.headers["accept-encoding"]) == ("secret-0123456789", "identity")


async def test_request_to_another_origin_is_not_sent(upstream: ScriptedUpstream) -> None:
    port = upstream.url.rpartition(":")[2]
    async with client_for(upstream.url) as client:
        for url in (f"http://localhost:{port}/", f"https://127.0.0.1:{port}/", "http://127.0.0.1/", "http://[::1]/"):
            with pytest.raises(httpx2.UnsupportedProtocol):
                await client.get(url)
    assert upstream.requests == []


async def test_same_host_over_tls_receives_no_headers() -> None:
    """The package would follow a redirect from http to https, but the secrets belong to the listed origin."""
    async with client_for("http://crm.example") as client:
        with pytest.raises(httpx2.UnsupportedProtocol):
            await client.get("https://crm.example/")


async def test_endless_response_is_cut_off(upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound_transport, "MAX_BYTES", 1_000)
    upstream.otherwise = Reply(framing="chunked", pieces=(b"x" * 600, b"x" * 600))
    async with client_for(upstream.url) as client:
        with pytest.raises(httpx2.ReadError, match="can't be read"):
            await client.get(upstream.url)


async def test_last_failure_is_kept_until_a_message_succeeds(upstream: ScriptedUpstream) -> None:
    upstream.replies += [Reply(status=403), Reply(status=405), Reply()]
    transport = BoundTransport(origin_of(upstream.url))
    async with httpx2.AsyncClient(transport=transport) as client:
        await client.post(upstream.url)
        await client.get(upstream.url)  # a server need not support GET
        assert transport.failure == 403
        await client.post(upstream.url)
    assert transport.failure is None
