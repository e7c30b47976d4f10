"""The parts of a message that aren't text."""

import enum
from typing import Literal

import msgspec

ImageDetail = Literal["auto", "low", "high"]


class MediaKind(enum.StrEnum):
    """The kind of a part that isn't text."""

    IMAGE = "image"
    AUDIO = "audio"
    DOCUMENT = "document"


class ImagePart(msgspec.Struct, frozen=True, kw_only=True, tag="image"):
    """An image that was checked, see `check_image`."""

    media_type: str
    """image/png, image/jpeg, image/gif or image/webp, as determined from the content."""
    data: bytes
    detail: ImageDetail | None = None
    """The resolution in which the model should look at it; None for the provider's default."""

    def __repr__(self) -> str:
        """Returns a representation without the content."""
        return f"ImagePart({self.media_type}, {len(self.data)} bytes)"


class AudioPart(msgspec.Struct, frozen=True, kw_only=True, tag="audio"):
    """A recording, such as a voice message."""

    media_type: str
    data: bytes

    def __repr__(self) -> str:
        """Returns a representation without the content."""
        return f"AudioPart({self.media_type}, {len(self.data)} bytes)"


class DocumentPart(msgspec.Struct, frozen=True, kw_only=True, tag="document"):
    """A file to read, such as a PDF."""

    media_type: str
    data: bytes
    name: str = ""
    """The file's name as its sender gave it; it is shown to the model and says nothing about the content."""

    def __repr__(self) -> str:
        """Returns a representation without the content and the name."""
        return f"DocumentPart({self.media_type}, {len(self.data)} bytes)"


class ImageLink(msgspec.Struct, frozen=True, kw_only=True, tag="image_link"):
    """An image that the caller names by its URL; the turn replaces it by an ImagePart."""

    url: str
    """A data, http or https URL; not checked yet."""
    detail: ImageDetail | None = None
    where: str = ""
    """The place in the caller's request, for errors."""

    def __repr__(self) -> str:
        """Returns a representation without the URL, which may contain the image."""
        return f"ImageLink(where={self.where!r})"


class StoredPart(msgspec.Struct, frozen=True, kw_only=True, tag="stored"):
    """An image, a recording or a document whose content is in the MediaStore."""

    kind: MediaKind
    address: str
    """The MediaAddress of the content in its conversation."""
    media_type: str
    size: int
    """The number of bytes of the content."""
    name: str = ""
    detail: ImageDetail | None = None

    def __repr__(self) -> str:
        """Returns a representation without the name."""
        return f"StoredPart({self.kind}, {self.size} bytes)"


MediaPart = ImagePart | AudioPart | DocumentPart

_KINDS: dict[type, MediaKind] = {
    ImageLink: MediaKind.IMAGE,
    ImagePart: MediaKind.IMAGE,
    AudioPart: MediaKind.AUDIO,
    DocumentPart: MediaKind.DOCUMENT,
}


def kind_of(part: object) -> MediaKind | None:
    """Returns the kind of a message's part; None for text."""
    return part.kind if isinstance(part, StoredPart) else _KINDS.get(type(part))
