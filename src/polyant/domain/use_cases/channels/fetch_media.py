"""Use case: fetch the media of an event, as parts of a message."""

from polyant.domain.channel_events import InboundEvent, MediaKind, MediaReference
from polyant.domain.channel_sends import FetchedMedia, MediaDelayed, MediaUnavailable
from polyant.domain.chat import TextPart, UserMessage, UserPart
from polyant.domain.errors import InvalidInputError
from polyant.domain.inbound_text import data_line, missing_media, user_text
from polyant.domain.media.attachments import Attachments
from polyant.domain.media.audio import audio_type_of
from polyant.domain.media.documents import is_pdf, plain_text_of
from polyant.domain.media.images import check_image, image_type_of
from polyant.domain.media.parts import AudioPart, DocumentPart
from polyant.domain.media.parts import MediaKind as PartKind
from polyant.domain.media.sizes import MediaBytes
from polyant.domain.use_cases.channels.lane_account import LaneAccount

MAX_MEDIA_BYTES = 20 * 1024 * 1024
_TRANSCRIPTION_SECONDS = 60.0


class MediaDelayedError(Exception):
    """Media can't be fetched now.

    Args:
        retry_after: The seconds after which to try again.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__("media can't be fetched now")
        self.retry_after = retry_after


class FetchMedia:
    """Fetches media while the event is claimed. Recordings and text files become text; so do notes on missing media.

    Args:
        attachments: Turns recordings and documents into text.
        media_bytes: The maximum number of bytes of one item.
    """

    def __init__(self, *, attachments: Attachments, media_bytes: MediaBytes) -> None:
        self._attachments = attachments
        self._max_bytes = min(MAX_MEDIA_BYTES, int(media_bytes))

    async def __call__(self, event: InboundEvent, account: LaneAccount) -> UserMessage:
        """Returns the user's message, with the media of the event.

        Raises:
            MediaDelayedError: The platform can't deliver some of it now.
        """
        text = TextPart(user_text(event))
        if not event.media:
            return UserMessage((text,))
        parts = [await self._part(reference, account) for reference in event.media]
        return await self._attachments.as_text(
            UserMessage((text, *parts)), frozenset(PartKind), seconds=_TRANSCRIPTION_SECONDS
        )

    async def _part(self, reference: MediaReference, account: LaneAccount) -> UserPart:
        if reference.kind in {MediaKind.VIDEO, MediaKind.OTHER}:
            return _missing(reference, "this kind can't be read")
        if reference.size is not None and reference.size > self._max_bytes:
            return _missing(reference, "too large")
        match await account.channel.fetch(account.account, reference, max_bytes=self._max_bytes):
            case FetchedMedia(content=content):
                return _part_of(reference, content)
            case MediaDelayed(retry_after):
                raise MediaDelayedError(retry_after)
            case MediaUnavailable(reason):
                return _missing(reference, reason)


def _part_of(reference: MediaReference, content: bytes) -> UserPart:
    """Returns the part for fetched media; its type is told from the content."""
    if reference.kind in {MediaKind.VOICE, MediaKind.AUDIO}:
        audio_type = audio_type_of(content)
        if audio_type is None:
            return _missing(reference, "this kind can't be heard")
        return AudioPart(media_type=audio_type, data=content)
    try:
        return check_image(content)
    except InvalidInputError as error:
        if reference.kind is not MediaKind.DOCUMENT or image_type_of(content) is not None:
            return _missing(reference, error.message)
    if not is_pdf(content) and plain_text_of(content) is None:
        return _missing(reference, "this kind can't be read")
    media_type = "application/pdf" if is_pdf(content) else "text/plain"
    return DocumentPart(media_type=media_type, data=content, name=data_line(reference.file_name or ""))


def _missing(reference: MediaReference, reason: str) -> TextPart:
    return TextPart(f"\n{missing_media(reference, reason)}")
