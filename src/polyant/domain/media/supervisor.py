"""Runs the turns whose messages contain media: prepares these before the Supervisor sees them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import msgspec

from polyant.domain.chat import AssistantMessage, SupervisorEvent, Turn, UserMessage
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import Instance
from polyant.domain.media.attachments import Attachments, is_unreadable
from polyant.domain.media.data_urls import is_data_url, parse_data_url
from polyant.domain.media.images import check_image
from polyant.domain.media.notes import newest_only, without_media
from polyant.domain.media.parts import AudioPart, DocumentPart, ImageLink, ImagePart, MediaKind
from polyant.domain.media.sizes import MediaMemory, MediaTooLargeError, TurnMediaMemory
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.image_fetcher import ImageFetcher
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.provider_keys import base_url_of

_WEB_SCHEMES = ("http://", "https://")
_MAX_BYTES_ON_THE_LOOP = 64 * 1024
"""Larger images are checked in a thread, so that other turns go on."""


class MediaSupervisor(Supervisor):
    """Prepares the media of a turn, and passes the turn to the Supervisor.

    The newest images are checked, and fetched if their URL isn't a data URL. Recordings and documents become text where
    possible. Notes to the model replace older media and those that the provider doesn't take.

    Args:
        supervisor: Runs the prepared turn.
        providers: The enabled providers, by name.
        fetcher: Fetches images from the web.
        attachments: Turns recordings and documents into text.
        clock: Measures the time that is left of a turn.
        memory: Counts the bytes that turns hold.
    """

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        providers: Mapping[str, ProviderInfo],
        fetcher: ImageFetcher,
        attachments: Attachments,
        clock: Clock,
        memory: MediaMemory,
    ) -> None:
        self._supervisor = supervisor
        self._providers = providers
        self._fetcher = fetcher
        self._attachments = attachments
        self._clock = clock
        self._memory = memory

    async def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        with self._memory.turn() as memory:
            turn = msgspec.structs.replace(turn, messages=await self._prepared(turn, memory))
            async with aclosing(self._supervisor.run(turn)) as events:
                async for event in events:
                    yield event

    async def _prepared(self, turn: Turn, memory: TurnMediaMemory) -> tuple[UserMessage | AssistantMessage, ...]:
        taken = self._taken_kinds(turn.instance)
        messages: list[UserMessage | AssistantMessage] = []
        for message in newest_only(turn.messages):
            if isinstance(message, UserMessage) and message.has_media:
                _hold(message, memory)
                seconds = turn.deadline - self._clock.monotonic()
                messages.append(await self._attachments.as_text(message, taken, seconds=seconds))
            else:
                messages.append(message)
        sendable = without_media(messages, lambda part, kind: kind not in taken or is_unreadable(part))
        return tuple([await self._with_images(message, memory) for message in sendable])

    def _taken_kinds(self, instance: Instance) -> frozenset[MediaKind]:
        info = self._providers.get(instance.provider)
        if info is None:
            return frozenset(MediaKind)  # the Supervisor reports the missing provider
        return info.media if base_url_of(instance, info) == info.base_url else info.compatible_media

    async def _with_images(
        self, message: UserMessage | AssistantMessage, memory: TurnMediaMemory
    ) -> UserMessage | AssistantMessage:
        if not isinstance(message, UserMessage) or not message.has_media:
            return message
        parts = [await self._image(part, memory) if isinstance(part, ImageLink) else part for part in message.parts]
        return UserMessage(tuple(parts))

    async def _image(self, link: ImageLink, memory: TurnMediaMemory) -> ImagePart:
        """Returns the checked image.

        Raises:
            InvalidInputError: It can't be fetched or used; the message names its place in the request.
            ServerBusyError: The running turns hold too many bytes.
        """
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


def _hold(message: UserMessage, memory: TurnMediaMemory) -> None:
    """Counts the media that the message already contains."""
    for part in message.parts:
        if isinstance(part, ImagePart | AudioPart | DocumentPart):
            memory.take(len(part.data))


def _placed(error: InvalidInputError, where: str) -> InvalidInputError:
    """Returns the error with the image's place in the request."""
    if where:
        error.message = f"{error.message} - at `{where}`"
        error.args = (error.message,)
    return error
