"""Takes in the images that callers name by URL."""

import asyncio

from polyant.domain.chat import UserMessage
from polyant.domain.errors import InvalidInputError
from polyant.domain.media.data_urls import is_data_url, parse_data_url
from polyant.domain.media.images import check_image
from polyant.domain.media.parts import ImageLink, ImagePart
from polyant.domain.media.sizes import MediaTooLargeError, TurnMediaMemory
from polyant.domain.ports.image_fetcher import ImageFetcher

_WEB_SCHEMES = ("http://", "https://")
_MAX_BYTES_ON_THE_LOOP = 64 * 1024
"""Larger images are checked in a thread, so that other turns go on."""


class ImageIntake:
    """Reads images from data URLs and from the web, and checks them.

    Args:
        fetcher: Fetches images from the web.
    """

    def __init__(self, *, fetcher: ImageFetcher) -> None:
        self._fetcher = fetcher

    async def checked(self, message: UserMessage, memory: TurnMediaMemory) -> UserMessage:
        """Returns the message with checked images in place of links.

        Raises:
            InvalidInputError: An image can't be fetched or used; the message names its place in the request.
            ServerBusyError: The running turns hold too many bytes.
        """
        if not message.has_media:
            return message
        parts = [await self._image(part, memory) if isinstance(part, ImageLink) else part for part in message.parts]
        return UserMessage(tuple(parts))

    async def _image(self, link: ImageLink, memory: TurnMediaMemory) -> ImagePart:
        try:
            data = await self._content(link.url, memory)
            if len(data) <= _MAX_BYTES_ON_THE_LOOP:
                return check_image(data, detail=link.detail)
            return await asyncio.to_thread(check_image, data, detail=link.detail)
        except InvalidInputError as error:
            raise _placed(error, link.where) from None

    async def _content(self, url: str, memory: TurnMediaMemory) -> bytes:
        if is_data_url(url):
            if len(url) * 3 // 4 > memory.limit + 64:
                raise MediaTooLargeError(memory.limit)
            data = parse_data_url(url)
        elif url.lower().startswith(_WEB_SCHEMES):
            data = await self._fetcher.fetch(url, max_bytes=memory.limit)
        else:
            raise InvalidInputError("An image needs a data, http or https URL")
        memory.take(len(data))
        return data


def _placed(error: InvalidInputError, where: str) -> InvalidInputError:
    """Returns the error with the image's place in the request."""
    if where:
        error.message = f"{error.message} - at `{where}`"
        error.args = (error.message,)
    return error
