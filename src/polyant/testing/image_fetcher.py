"""The contract of the port ImageFetcher."""

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar, Protocol

import pytest

from polyant.domain.errors import InvalidInputError
from polyant.domain.media.sizes import MediaTooLargeError
from polyant.domain.ports.image_fetcher import ImageFetcher
from polyant.testing.contract import Contract, proves
from polyant.testing.upstream import Received, Reply, Responder, ScriptedUpstream, Then

CONTENT = bytes(range(256)) * 300
"""The content behind `url`."""

PRIVATE_HOSTS = ("127.0.0.1", "localhost", "127.1", "0.0.0.0", "2130706433", "[::1]", "[::ffff:127.0.0.1]")  # noqa: S104 - they are refused
"""Ways to write the address of this machine."""


class _InternalServer(Contract):
    """The internal server that both contracts use."""

    patience_seconds: ClassVar[float] = 5.0
    """The time for calls that take no time."""

    @pytest.fixture
    async def inside(self) -> AsyncIterator[ScriptedUpstream]:
        """A server on this machine, which must receive no request."""
        async with ScriptedUpstream() as inside:
            inside.otherwise = Reply(pieces=(CONTENT,))
            yield inside


class ImageFetcherContract(_InternalServer):
    """The tests that every ImageFetcher must pass.

    Subclasses provide one, a URL with `CONTENT` behind it, and one whose server never responds.
    """

    @pytest.fixture
    def image_fetcher(self) -> ImageFetcher:
        raise NotImplementedError("return the ImageFetcher")

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError("return a URL with CONTENT behind it")

    @pytest.fixture
    def silent_url(self) -> str:
        raise NotImplementedError("return a URL whose server accepts a request, and never responds")

    def test_implements_the_port(self, image_fetcher: ImageFetcher) -> None:
        assert isinstance(image_fetcher, ImageFetcher)

    @proves("Returns the content behind a URL, whatever its type.")
    async def test_content_arrives_byte_for_byte(self, image_fetcher: ImageFetcher, url: str) -> None:
        assert await image_fetcher.fetch(url, max_bytes=len(CONTENT)) == CONTENT
        assert await image_fetcher.fetch(url, max_bytes=len(CONTENT) + 1) == CONTENT

    @proves("MediaTooLargeError: The content has more than `max_bytes` bytes; the rest isn't read.")
    async def test_larger_content_is_refused(self, image_fetcher: ImageFetcher, url: str) -> None:
        with pytest.raises(MediaTooLargeError, match=f"at most {len(CONTENT) - 1} bytes"):
            await image_fetcher.fetch(url, max_bytes=len(CONTENT) - 1)

    @proves("InvalidInputError: The URL isn't an http or https URL, or it can't be fetched in time.")
    @pytest.mark.parametrize(
        "other",
        ["", "x", "https://", "https://nobody.invalid/a.png", "ftp://nobody.invalid/a.png", "file:///etc/hostname"],
    )
    async def test_url_that_cannot_be_fetched_is_refused_without_repeating_it(
        self, image_fetcher: ImageFetcher, other: str
    ) -> None:
        with pytest.raises(InvalidInputError, match="can't be fetched") as caught:
            await image_fetcher.fetch(other, max_bytes=1_000)
        assert "nobody" not in caught.value.explanation

    @proves(
        "The message is the same for every reason on the network, so that nobody can explore a network, and contains "
        "no URL.",
    )
    async def test_private_addresses_receive_no_request_and_look_like_unknown_names(
        self, image_fetcher: ImageFetcher, inside: ScriptedUpstream
    ) -> None:
        port = inside.url.rpartition(":")[2]
        messages = {await refusal_of(image_fetcher, "https://nobody.invalid/a.png")}
        for host in PRIVATE_HOSTS:
            for url in (f"http://{host}:{port}/a.png", f"http://user:password@{host}:{port}/a.png"):
                messages.add(await refusal_of(image_fetcher, url))
        assert inside.requests == []
        assert len(messages) == 1
        assert "//" not in messages.pop()

    @proves("Calls may overlap, and a cancelled call ends immediately.")
    async def test_calls_overlap(self, image_fetcher: ImageFetcher, url: str, silent_url: str) -> None:
        waiting = asyncio.create_task(image_fetcher.fetch(silent_url, max_bytes=len(CONTENT)))
        async with asyncio.timeout(self.patience_seconds):
            calls = [image_fetcher.fetch(url, max_bytes=len(CONTENT)) for _ in range(4)]
            assert await asyncio.gather(*calls) == [CONTENT] * 4
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    @proves("Calls may overlap, and a cancelled call ends immediately.")
    async def test_cancelled_call_ends(self, image_fetcher: ImageFetcher, url: str, silent_url: str) -> None:
        waiting = asyncio.create_task(image_fetcher.fetch(silent_url, max_bytes=len(CONTENT)))
        await asyncio.wait([waiting], timeout=0.1)
        assert not waiting.done()
        waiting.cancel()
        async with asyncio.timeout(self.patience_seconds):
            (ended,) = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError)
        assert await image_fetcher.fetch(url, max_bytes=len(CONTENT)) == CONTENT


class PublicWeb(Protocol):
    """A public web server, as a fetcher reaches it over a fake network.

    `polyant.testing.fake_network` has one for fetchers on aiohttp.
    """

    url: str
    """A URL of the server, on its default port."""
    private_names: tuple[str, ...]
    """Names that resolve to addresses that aren't public."""

    @property
    def requests(self) -> list[Received]:
        """The requests that the server received."""

    def answer(self, reply: Reply | Responder) -> None:
        """Makes the server send this reply from now on."""


class ConnectingImageFetcherContract(_InternalServer):
    """The additional tests for an ImageFetcher that connects to web servers itself; subclasses provide its web."""

    @pytest.fixture
    def image_fetcher(self) -> ImageFetcher:
        raise NotImplementedError("return the ImageFetcher")

    @pytest.fixture
    def web(self) -> PublicWeb:
        raise NotImplementedError("return the web of the fetcher")

    @proves("Every connection, including those of redirects, goes to a public IP address.")
    async def test_redirects_to_private_addresses_are_refused(
        self, image_fetcher: ImageFetcher, web: PublicWeb, inside: ScriptedUpstream
    ) -> None:
        port = inside.url.rpartition(":")[2]
        hosts = (*PRIVATE_HOSTS, *web.private_names)
        for host in hosts:
            web.answer(Reply(status=302, headers={"Location": f"http://{host}:{port}/a.png"}))
            await refusal_of(image_fetcher, web.url)
        assert inside.requests == []
        assert len(web.requests) == len(hosts)

    @proves("Every connection, including those of redirects, goes to a public IP address.")
    async def test_names_of_private_addresses_are_refused(
        self, image_fetcher: ImageFetcher, web: PublicWeb, inside: ScriptedUpstream
    ) -> None:
        port = inside.url.rpartition(":")[2]
        for name in web.private_names:
            await refusal_of(image_fetcher, f"http://{name}:{port}/a.png")
        assert inside.requests == []

    @pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://images.example/a", "http://user:pw@{host}/"])
    async def test_redirects_to_other_schemes_and_with_credentials_are_refused(
        self, image_fetcher: ImageFetcher, web: PublicWeb, target: str
    ) -> None:
        host = web.url.split("/")[2]
        web.answer(Reply(status=302, headers={"Location": target.format(host=host)}))
        await refusal_of(image_fetcher, web.url)
        assert len(web.requests) == 1

    @proves("No credentials and no cookies are sent.")
    async def test_no_credentials_and_no_cookies_are_sent(self, image_fetcher: ImageFetcher, web: PublicWeb) -> None:
        web.answer(Reply(headers={"Set-Cookie": "a=b; Path=/"}, pieces=(CONTENT,)))
        for _ in range(2):
            assert await image_fetcher.fetch(web.url, max_bytes=len(CONTENT)) == CONTENT
        for request in web.requests:
            assert request.headers.keys().isdisjoint({"cookie", "authorization", "referer", "x-forwarded-for"})

    @proves(
        "The message is the same for every reason on the network, so that nobody can explore a network, and contains "
        "no URL.",
    )
    async def test_every_failure_has_the_same_message(self, image_fetcher: ImageFetcher, web: PublicWeb) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
        messages = {await refusal_of(image_fetcher, "http://nobody.invalid/")}
        for reply in (
            Reply(status=404, pieces=(b"no",)),
            Reply(status=500),
            Reply(status=302),
            Reply(framing="raw", pieces=(head, b"cut", Then.CUT)),
            Reply(framing="raw", pieces=(b"rubbish\r\n\r\n", Then.CUT)),
        ):
            web.answer(reply)
            messages.add(await refusal_of(image_fetcher, web.url))
        assert len(messages) == 1

    @proves("MediaTooLargeError: The content has more than `max_bytes` bytes; the rest isn't read.")
    async def test_rest_of_larger_content_is_not_read(self, image_fetcher: ImageFetcher, web: PublicWeb) -> None:
        """The server sends nothing more, so reading on would take forever."""
        web.answer(Reply(pieces=(CONTENT, b"x", Then.HANG), framing="chunked"))
        async with asyncio.timeout(self.patience_seconds):
            with pytest.raises(MediaTooLargeError):
                await image_fetcher.fetch(web.url, max_bytes=len(CONTENT))


async def refusal_of(image_fetcher: ImageFetcher, url: str) -> str:
    """Returns the message with which a URL is refused."""
    with pytest.raises(InvalidInputError, match="can't be fetched") as caught:
        await image_fetcher.fetch(url, max_bytes=len(CONTENT))
    return caught.value.explanation
