"""The contract of the port ImageFetcher."""

import asyncio

import pytest

from polyant.domain.errors import InvalidInputError
from polyant.domain.media.sizes import MediaTooLargeError
from polyant.domain.ports.image_fetcher import ImageFetcher
from polyant.testing.contract import Contract, proves

CONTENT = bytes(range(256)) * 300
"""The content behind `url`."""


class ImageFetcherContract(Contract):
    """The tests that every ImageFetcher must pass; subclasses provide one, and a URL with `CONTENT` behind it."""

    @pytest.fixture
    def image_fetcher(self) -> ImageFetcher:
        raise NotImplementedError("return the ImageFetcher")

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError("return a URL with CONTENT behind it")

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

    @proves("Calls may overlap, and a cancelled call ends immediately.")
    async def test_calls_overlap_and_can_be_cancelled(self, image_fetcher: ImageFetcher, url: str) -> None:
        cancelled, *calls = [asyncio.create_task(image_fetcher.fetch(url, max_bytes=len(CONTENT))) for _ in range(4)]
        await asyncio.sleep(0)
        cancelled.cancel()
        assert await asyncio.gather(*calls) == [CONTENT] * 3
        assert cancelled.cancelled() or cancelled.result() == CONTENT  # it may have ended before
