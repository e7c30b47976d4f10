"""The HTTP session for calls to providers."""

import asyncio

import pytest

from polyant.adapters.llm.public_http import PublicHttp
from polyant.adapters.llm.session import READ_BUFFER_BYTES, open_session
from polyant.testing.fake_network import FakeNetwork
from support.upstream import Reply, ScriptedUpstream

_BYTES_PER_READ = 256 * 1024
"""The event loop's: asyncio and uvloop read this many bytes at once."""


@pytest.mark.parametrize("public", [False, True])
async def test_response_that_nobody_reads_is_held_up_to_the_buffer_size(
    monkeypatch: pytest.MonkeyPatch, upstream: ScriptedUpstream, *, public: bool
) -> None:
    """A turn whose client accepts no data holds little of a long response."""
    upstream.replies.append(Reply(pieces=(bytes(8 * 1024 * 1024),)))
    network = FakeNetwork(monkeypatch)
    network.name("api.example", "93.184.215.14")
    network.place("93.184.215.14", upstream.url)
    session = PublicHttp(resolver=network).session if public else open_session()
    async with session, session.post("http://api.example" if public else upstream.url, data=b"{}") as response:
        assert response.connection is not None
        transport = response.connection.transport
        assert isinstance(transport, asyncio.ReadTransport)
        while transport.is_reading():  # noqa: ASYNC110 - aiohttp pauses it without an event
            await asyncio.sleep(0.01)
        assert response.content.total_bytes <= 2 * READ_BUFFER_BYTES + _BYTES_PER_READ
