"""Runs the turns whose messages contain media: prepares these before the Supervisor sees them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial

import msgspec

from polyant.domain.chat import AssistantMessage, SupervisorEvent, Turn, UserMessage, UserPart, any_has_media
from polyant.domain.instances import Instance
from polyant.domain.media.attachments import Attachments, is_unreadable
from polyant.domain.media.image_intake import ImageIntake
from polyant.domain.media.notes import newest_only, without_media
from polyant.domain.media.parts import AudioPart, DocumentPart, ImagePart, MediaKind
from polyant.domain.media.sizes import MediaMemory, TurnMediaMemory
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.supervisor import Supervisor
from polyant.domain.provider_keys import base_url_of


class MediaSupervisor(Supervisor):
    """Prepares the media of a turn, and passes the turn to the Supervisor.

    The newest images are checked, and fetched if their URL isn't a data URL. Recordings and documents become text where
    possible. Notes to the model replace older media and those that the provider doesn't take.

    Args:
        supervisor: Runs the prepared turn.
        providers: The enabled providers, by name.
        intake: Checks images, and fetches those from the web.
        attachments: Turns recordings and documents into text.
        clock: Measures the time that is left of a turn.
        memory: Counts the bytes that turns hold.
    """

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        providers: Mapping[str, ProviderInfo],
        intake: ImageIntake,
        attachments: Attachments,
        clock: Clock,
        memory: MediaMemory,
    ) -> None:
        self._supervisor = supervisor
        self._providers = providers
        self._intake = intake
        self._attachments = attachments
        self._clock = clock
        self._memory = memory

    def run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        return self._run(turn) if any_has_media(turn.messages) else self._supervisor.run(turn)

    async def _run(self, turn: Turn) -> AsyncGenerator[SupervisorEvent, None]:
        with self._memory.turn() as memory:
            turn = msgspec.structs.replace(turn, messages=await self._prepared(turn, memory))
            async with aclosing(self._supervisor.run(turn)) as events:
                async for event in events:
                    yield event

    async def _prepared(self, turn: Turn, memory: TurnMediaMemory) -> tuple[UserMessage | AssistantMessage, ...]:
        taken = self._taken_kinds(turn.instance)
        messages: list[UserMessage | AssistantMessage] = []
        for message in newest_only(turn.messages, fits=partial(_holds, memory)):
            if isinstance(message, UserMessage) and message.has_media:
                seconds = turn.deadline - self._clock.monotonic()
                messages.append(await self._attachments.as_text(message, taken, seconds=seconds))
            else:
                messages.append(message)
        sendable = without_media(messages, lambda part, kind: kind not in taken or is_unreadable(part))
        return tuple(
            [
                await self._intake.checked(message, memory) if isinstance(message, UserMessage) else message
                for message in sendable
            ]
        )

    def _taken_kinds(self, instance: Instance) -> frozenset[MediaKind]:
        info = self._providers.get(instance.provider)
        if info is None:
            return frozenset(MediaKind)  # the Supervisor reports the missing provider
        return info.media if base_url_of(instance, info) == info.base_url else info.compatible_media


def _holds(memory: TurnMediaMemory, part: UserPart) -> bool:
    """Counts the content of a part, and returns whether the turn can hold it."""
    if not isinstance(part, ImagePart | AudioPart | DocumentPart):
        return True
    if not memory.has_room_for(len(part.data)):
        return False
    memory.take(len(part.data))
    return True
