"""Calls of platforms when the network or the platform misbehaves."""

import socket

import aiohttp
import pytest

from polyant.adapters.channels.platform_hosts import PlatformHosts
from polyant.adapters.channels.platform_http import (
    MAX_RESPONSE_BYTES,
    CallFailedError,
    PlatformHttp,
    PlatformResponse,
    bearer,
)
from polyant.domain.channel_sends import FetchedMedia, MediaDelayed, MediaUnavailable
from polyant.domain.proxies import ProxyRules, parse_proxy
from support.patience import PATIENCE, seconds
from support.upstream import DROP, HANG_BEFORE_HEAD, Reply, ScriptedUpstream, Then, json_reply

TOKEN = {"Authorization": "Bearer hidden-token"}


@pytest.fixture
def platform(http: aiohttp.ClientSession, upstream: ScriptedUpstream) -> PlatformHttp:
    return PlatformHttp(session=http, proxies=ProxyRules(), hosts=PlatformHosts(origins=(upstream.url,)))


async def call(platform: PlatformHttp, url: str, limit: float = PATIENCE) -> PlatformResponse:
    return await platform.call("POST", url, headers=TOKEN, body=b"{}", seconds=limit)


async def test_response_is_complete(platform: PlatformHttp, upstream: ScriptedUpstream) -> None:
    upstream.replies.append(json_reply({"ok": True}, headers={"Retry-After": "7"}))
    response = await call(platform, upstream.url)
    assert (response.status, response.retry_after) == (200, 7.0)
    assert response.decode(dict[str, bool]) == {"ok": True}
    assert response.decode(list[str]) is None
    assert upstream.requests[0].headers["authorization"] == "Bearer hidden-token"


@pytest.mark.parametrize("reply", [HANG_BEFORE_HEAD, Reply(framing="chunked", pieces=(b"{", Then.HANG))])
async def test_call_that_times_out_may_have_arrived(
    platform: PlatformHttp, upstream: ScriptedUpstream, reply: Reply
) -> None:
    upstream.replies.append(reply)
    with pytest.raises(CallFailedError) as failure:
        await call(platform, upstream.url, seconds(0.1))
    assert failure.value.may_have_arrived


@pytest.mark.parametrize(
    "reply",
    [
        DROP,
        Reply(framing="raw", pieces=(b"nonsense\r\n\r\n",)),
        Reply(framing="chunked", pieces=(b"{", Then.CUT)),
        Reply(pieces=(b"x" * (MAX_RESPONSE_BYTES + 1),)),
        Reply(framing="chunked", pieces=(b"x" * MAX_RESPONSE_BYTES, b"x")),
    ],
)
async def test_call_without_a_usable_response_may_have_arrived(
    platform: PlatformHttp, upstream: ScriptedUpstream, reply: Reply
) -> None:
    upstream.otherwise = reply
    with pytest.raises(CallFailedError) as failure:
        await call(platform, upstream.url)
    assert failure.value.may_have_arrived
    assert len(upstream.requests) == 1


async def test_refused_connection_means_that_nothing_arrived(http: aiohttp.ClientSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    origin = f"http://127.0.0.1:{port}"
    platform = PlatformHttp(session=http, proxies=ProxyRules(), hosts=PlatformHosts(origins=(origin,)))
    with pytest.raises(CallFailedError) as failure:
        await call(platform, origin)
    assert not failure.value.may_have_arrived


async def test_other_host_is_never_contacted(http: aiohttp.ClientSession, upstream: ScriptedUpstream) -> None:
    platform = PlatformHttp(session=http, proxies=ProxyRules(), hosts=PlatformHosts("example.com"))
    for attempt in (call(platform, upstream.url), platform.open_websocket(upstream.url, seconds=1, heartbeat=1)):
        with pytest.raises(CallFailedError) as failure:
            await attempt
        assert not failure.value.may_have_arrived
    assert await platform.download(upstream.url, headers=TOKEN, max_bytes=1) == MediaUnavailable("refused")
    assert upstream.requests == []


async def test_calls_and_downloads_use_the_operators_proxy(
    http: aiohttp.ClientSession, upstream: ScriptedUpstream
) -> None:
    rules = ProxyRules(http=parse_proxy(upstream.url.replace("http://", "http://ann:hidden-password@")))
    origin = "http://platform.invalid"
    platform = PlatformHttp(session=http, proxies=rules, hosts=PlatformHosts(origins=(origin,)))
    upstream.otherwise = Reply(pieces=(b"{}",))
    await call(platform, f"{origin}/call")
    await platform.download(f"{origin}/download", headers=TOKEN, max_bytes=10)
    assert [request.path for request in upstream.requests] == [f"{origin}/call", f"{origin}/download"]
    assert all(request.headers["proxy-authorization"].startswith("Basic ") for request in upstream.requests)


async def test_download_returns_content_and_type(platform: PlatformHttp, upstream: ScriptedUpstream) -> None:
    upstream.replies.append(Reply(headers={"Content-Type": "image/png"}, pieces=(b"12345",)))
    outcome = await platform.download(f"{upstream.url}/file", headers=TOKEN, max_bytes=5)
    assert outcome == FetchedMedia(content=b"12345", media_type="image/png")


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_longer_download_is_too_large(platform: PlatformHttp, upstream: ScriptedUpstream, framing: str) -> None:
    upstream.replies.append(Reply(framing=framing, pieces=(b"123456",)))  # type: ignore[arg-type]
    outcome = await platform.download(upstream.url, headers=TOKEN, max_bytes=5)
    assert outcome == MediaUnavailable("too large")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (401, MediaUnavailable("refused")),
        (403, MediaUnavailable("refused")),
        (404, MediaUnavailable("gone")),
        (410, MediaUnavailable("gone")),
        (429, MediaDelayed(9.0)),
        (503, MediaDelayed(9.0)),
    ],
)
async def test_refused_download(
    platform: PlatformHttp, upstream: ScriptedUpstream, status: int, outcome: MediaDelayed | MediaUnavailable
) -> None:
    upstream.replies.append(Reply(status=status, headers={"Retry-After": "9"}))
    assert await platform.download(upstream.url, headers=TOKEN, max_bytes=5) == outcome


async def test_interrupted_download_is_delayed(platform: PlatformHttp, upstream: ScriptedUpstream) -> None:
    upstream.replies.append(Reply(framing="chunked", pieces=(b"12", Then.CUT)))
    assert await platform.download(upstream.url, headers=TOKEN, max_bytes=5) == MediaDelayed()


async def test_redirect_within_the_platform_is_followed(platform: PlatformHttp, upstream: ScriptedUpstream) -> None:
    upstream.replies += [Reply(status=302, headers={"Location": "/moved"}), Reply(pieces=(b"1",))]
    outcome = await platform.download(f"{upstream.url}/file", headers=TOKEN, max_bytes=5)
    assert outcome == FetchedMedia(content=b"1")
    assert [request.path for request in upstream.requests] == ["/file", "/moved"]


@pytest.mark.parametrize("location", ["https://evil.test/x", "http://127.0.0.1:1/x", "//evil.test/", "file:///etc"])
async def test_redirect_to_another_host_is_refused(
    platform: PlatformHttp, upstream: ScriptedUpstream, location: str
) -> None:
    upstream.otherwise = Reply(status=302, headers={"Location": location})
    assert await platform.download(upstream.url, headers=TOKEN, max_bytes=5) == MediaUnavailable("refused")
    assert len(upstream.requests) == 1


async def test_endless_redirects_are_refused(platform: PlatformHttp, upstream: ScriptedUpstream) -> None:
    upstream.otherwise = Reply(status=302, headers={"Location": "/again"})
    assert await platform.download(upstream.url, headers=TOKEN, max_bytes=5) == MediaUnavailable("refused")
    assert len(upstream.requests) == 4


@pytest.mark.parametrize("header", ["", "soon", "-1", "1e9", "nan"])
async def test_invalid_retry_after_is_ignored(header: str) -> None:
    assert PlatformResponse(status=429, headers={"Retry-After": header}, body=b"").retry_after is None


def test_wait_is_at_most_an_hour() -> None:
    assert PlatformResponse(status=429, headers={"Retry-After": "99999"}, body=b"").retry_after == 3_600.0


def test_response_hides_its_body() -> None:
    assert repr(PlatformResponse(status=200, headers={"X": "hidden"}, body=b"hidden")) == "PlatformResponse(200)"


@pytest.mark.parametrize("token", ["two\r\nlines", "smørrebrød"])
def test_token_that_no_header_can_contain_is_not_sent(token: str) -> None:
    assert bearer(token) is None
