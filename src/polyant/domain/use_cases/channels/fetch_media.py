"""Use case: fetch the media of an event, as parts of a message."""

import msgspec

from polyant.domain.channel_events import (
    FetchedMedia,
    InboundEvent,
    MediaDelayed,
    MediaKind,
    MediaReference,
    MediaUnavailable,
)
from polyant.domain.chat import TextPart, UserPart
from polyant.domain.errors import InvalidInputError
from polyant.domain.inbound_text import data_line, missing_media
from polyant.domain.media.audio import audio_type_of
from polyant.domain.media.documents import is_pdf, plain_text_of
from polyant.domain.media.images import check_image, image_type_of
from polyant.domain.media.parts import AudioPart, DocumentPart
from polyant.domain.use_cases.channels.lane_account import LaneAccount

MAX_MEDIA_BYTES = 20 * 1024 * 1024


class MediaDelayedError(Exception):
    """Media can't be fetched now.

    Args:
        retry_after: The seconds after which to try again.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__("media can't be fetched now")
        self.retry_after = retry_after


class EventMedia(msgspec.Struct, frozen=True):
    """The media of an event: parts for the model, and notes that stand for them in the history."""

    parts: tuple[UserPart, ...] = ()
    notes: tuple[str, ...] = ()


class FetchMedia:
    """Fetches media while the event is claimed; missing media become notes for the model."""

    async def __call__(self, event: InboundEvent, account: LaneAccount) -> EventMedia:
        """Returns the media of the event.

        Raises:
            MediaDelayedError: The platform can't deliver some of it now.
        """
        parts: list[UserPart] = []
        notes: list[str] = []
        for reference in event.media:
            part, note = await self._part(reference, account)
            if part is not None:
                parts.append(part)
            notes.append(note)
        return EventMedia(tuple(parts), tuple(notes))

    async def _part(self, reference: MediaReference, account: LaneAccount) -> tuple[UserPart | None, str]:
        if reference.kind in {MediaKind.VIDEO, MediaKind.OTHER}:
            return _missing(reference, "this kind can't be read")
        if reference.size is not None and reference.size > MAX_MEDIA_BYTES:
            return _missing(reference, "too large")
        match await account.channel.fetch(account.account, reference, max_bytes=MAX_MEDIA_BYTES):
            case FetchedMedia(content=content):
                return _part_of(reference, content)
            case MediaDelayed(retry_after):
                raise MediaDelayedError(retry_after)
            case MediaUnavailable(reason):
                return _missing(reference, reason)


def _part_of(reference: MediaReference, content: bytes) -> tuple[UserPart | None, str]:
    """Returns the part for fetched media; its type is told from the content."""
    if reference.kind in {MediaKind.VOICE, MediaKind.AUDIO}:
        audio_type = audio_type_of(content)
        if audio_type is None:
            return _missing(reference, "this kind can't be heard")
        return AudioPart(media_type=audio_type, data=content), f"[{reference.kind}]"
    try:
        return check_image(content), "[image]"
    except InvalidInputError as error:
        if reference.kind is not MediaKind.DOCUMENT or image_type_of(content) is not None:
            return _missing(reference, error.message)
    if not is_pdf(content) and plain_text_of(content) is None:
        return _missing(reference, "this kind can't be read")
    media_type = "application/pdf" if is_pdf(content) else "text/plain"
    return DocumentPart(media_type=media_type, data=content, name=data_line(reference.file_name or "")), "[document]"


def _missing(reference: MediaReference, reason: str) -> tuple[UserPart, str]:
    note = missing_media(reference, reason)
    return TextPart(f"\n{note}"), note
