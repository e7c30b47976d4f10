"""Checks images by their headers, and removes where they were taken; pixels are never decoded."""

import zlib
from collections.abc import Callable

from polyant.domain.media.exif import without_exif_location
from polyant.domain.media.gif import SIGNATURES, read_gif
from polyant.domain.media.image_header import BlockKind, ImageHeader, InvalidImageError, MetadataBlock
from polyant.domain.media.jpeg import SIGNATURE as JPEG_SIGNATURE
from polyant.domain.media.jpeg import read_jpeg
from polyant.domain.media.parts import ImageDetail, ImagePart
from polyant.domain.media.png import SIGNATURE as PNG_SIGNATURE
from polyant.domain.media.png import read_png
from polyant.domain.media.webp import is_webp, read_webp
from polyant.domain.media.xmp import mentions_location, without_xmp_location

MAX_SIDE_PIXELS = 16_384
"""The maximum width and height of an image."""

IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""The types of images that are accepted, and that browsers may show."""


def check_image(data: bytes, *, detail: ImageDetail | None = None) -> ImagePart:
    """Returns the image without its location; all other bytes stay as they are.

    The type is determined from the content. The time is proportional to the number of bytes, whatever they are.

    Raises:
        InvalidImageError: The type isn't accepted, the header is damaged or incomplete, or the image has no pixels or
            more than `MAX_SIDE_PIXELS` per side.
    """
    header = read_header(data)
    if not header.width or not header.height:
        raise InvalidImageError("has no pixels")
    if max(header.width, header.height) > MAX_SIDE_PIXELS:
        size = f"{header.width} x {header.height}"
        raise InvalidImageError(f"is too large: {size} pixels, and each side can have at most {MAX_SIDE_PIXELS}")
    return ImagePart(media_type=header.media_type, data=_without_location(data, header.metadata), detail=detail)


def read_header(data: bytes) -> ImageHeader:
    """Returns the header of an image.

    Raises:
        InvalidImageError: The type isn't accepted, or the header is damaged or incomplete.
    """
    reader = _reader_for(data)
    if reader is None:
        raise InvalidImageError("is of a type that isn't supported: send a PNG, JPEG, GIF or WebP image")
    return reader(data)


def _reader_for(data: bytes) -> Callable[[bytes], ImageHeader] | None:
    if data.startswith(PNG_SIGNATURE):
        return read_png
    if data.startswith(JPEG_SIGNATURE):
        return read_jpeg
    if data.startswith(SIGNATURES):
        return read_gif
    return read_webp if is_webp(data) else None


def image_type_of(data: bytes) -> str | None:
    """Returns the type of an image that its header can prove; None for anything else."""
    try:
        return read_header(data).media_type
    except InvalidImageError:
        return None


def _without_location(data: bytes, blocks: tuple[MetadataBlock, ...]) -> bytes:
    blank_extensions = mentions_location(
        b"".join(data[block.start : block.end] for block in blocks if block.kind is BlockKind.XMP_EXTENSION)
    )
    changed: bytearray | None = None
    for block in reversed(blocks):  # cutting one out doesn't move those before it
        before = data[block.start : block.end]
        after = _cleaned(before, block.kind, blank_extension=blank_extensions)
        if after == before:
            continue
        changed = bytearray(data) if changed is None else changed
        changed[block.start : block.end] = after
        if block.checksum is not None:
            since, until = block.checksum
            changed[until : until + 4] = zlib.crc32(changed[since:until]).to_bytes(4, "big")
    return data if changed is None else bytes(changed)


def _cleaned(content: bytes, kind: BlockKind, *, blank_extension: bool) -> bytes:
    match kind:
        case BlockKind.EXIF:
            return without_exif_location(content)
        case BlockKind.XMP:
            return without_xmp_location(content)
        case BlockKind.XMP_EXTENSION:
            return b" " * len(content) if blank_extension else content
        case BlockKind.WRAPPED:
            return b""
