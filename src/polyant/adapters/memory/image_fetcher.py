"""Images on the web, kept in a mapping."""

import asyncio
from collections.abc import Mapping

from polyant.domain.errors import InvalidInputError
from polyant.domain.media.sizes import MediaTooLargeError
from polyant.domain.ports.image_fetcher import ImageFetcher


class MemoryImageFetcher(ImageFetcher):
    """Returns the given contents; all other URLs can't be fetched.

    Args:
        contents: The content behind each URL; None for a server that never responds.
    """

    def __init__(self, contents: Mapping[str, bytes | None] | None = None) -> None:
        self._contents = {} if contents is None else contents
        self.fetched: list[str] = []
        """The URLs of all calls, in order."""

    async def fetch(self, url: str, *, max_bytes: int) -> bytes:
        self.fetched.append(url)
        if url not in self._contents:
            raise InvalidInputError("The image can't be fetched: send it as a data URL, or from a public address")
        content = self._contents[url]
        if content is None:
            await asyncio.Event().wait()
            raise AssertionError("the server never responds")
        if len(content) > max_bytes:
            raise MediaTooLargeError(max_bytes)
        return content
