"""The contents of an image's header, and the errors for headers that can't be read."""

import enum

import msgspec

from polyant.domain.errors import InvalidInputError


class BlockKind(enum.Enum):
    """The form of a block of metadata inside an image."""

    EXIF = enum.auto()
    """A TIFF structure."""
    XMP = enum.auto()
    """An XML text; it can be overwritten with spaces."""
    XMP_EXTENSION = enum.auto()
    """A piece of an XML text that goes on in other blocks."""
    WRAPPED = enum.auto()
    """Metadata that holds a location in a compressed or encoded form; the block has to be cut out."""


class MetadataBlock(msgspec.Struct, frozen=True):
    """The place of a block of metadata: the bytes from `start` up to, not including, `end`."""

    kind: BlockKind
    start: int
    end: int
    checksum: tuple[int, int] | None = None
    """In a PNG, where the checksum's input starts, and where the checksum is."""


class ImageHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The type and the size of an image, and where its metadata are."""

    media_type: str
    width: int
    height: int
    metadata: tuple[MetadataBlock, ...] = ()


class InvalidImageError(InvalidInputError):
    """The image can't be used; the message says why, in a form that follows "The image "."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The image {reason}")
        self.reason = reason


def cut_off() -> InvalidImageError:
    """Returns the error for an image that ends too early."""
    return InvalidImageError("is incomplete: it ends in the middle of its data")


def damaged() -> InvalidImageError:
    """Returns the error for a header that contradicts its format."""
    return InvalidImageError("has a damaged header")


def too_many_blocks() -> InvalidImageError:
    """Returns the error for an image with more blocks than any program writes."""
    return InvalidImageError("is divided into too many blocks")
