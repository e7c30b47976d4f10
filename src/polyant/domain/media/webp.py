"""Reads the chunks of WebP images, without decoding pixels.

See https://developers.google.com/speed/webp/docs/riff_container.
"""

import struct

from polyant.domain.media.image_header import (
    BlockKind,
    ImageHeader,
    InvalidImageError,
    MetadataBlock,
    cut_off,
    damaged,
    too_many_blocks,
)

_MAX_CHUNKS = 65_536
_HEADER_BYTES = 12
_CHUNK_HEADER_BYTES = 8
_FRAME_BYTES = 10
_EXIF_PREFIX = b"Exif\0\0"
_LOSSLESS_BYTES = 5
_LOSSLESS_SIGNATURE = b"\x2f"
_SIDE = 0x3FFF


def is_webp(data: bytes) -> bool:
    """Returns whether the data begin like a WebP."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_webp(data: bytes) -> ImageHeader:
    """Returns the header of a WebP.

    Raises:
        InvalidImageError: The chunks don't form a WebP.
    """
    end_of_file = int.from_bytes(data[4:8], "little") + 8
    if end_of_file > len(data):
        raise cut_off()
    size: tuple[int, int] | None = None
    blocks: list[MetadataBlock] = []
    at = _HEADER_BYTES
    for _ in range(_MAX_CHUNKS):
        if at >= end_of_file:
            break
        if at + _CHUNK_HEADER_BYTES > end_of_file:
            raise cut_off()
        kind, length = struct.unpack_from("<4sI", data, at)
        start, end = at + _CHUNK_HEADER_BYTES, at + _CHUNK_HEADER_BYTES + length
        if end > end_of_file:
            raise cut_off()
        size = size or _size(data, kind, start, end)
        if kind == b"EXIF":
            skipped = len(_EXIF_PREFIX) if data.startswith(_EXIF_PREFIX, start, end) else 0
            blocks.append(MetadataBlock(BlockKind.EXIF, start + skipped, end))
        elif kind == b"XMP ":
            blocks.append(MetadataBlock(BlockKind.XMP, start, end))
        at = end + length % 2
    else:
        raise too_many_blocks()
    if size is None:
        raise InvalidImageError("has no frame")
    width, height = size
    return ImageHeader(media_type="image/webp", width=width, height=height, metadata=tuple(blocks))


def _size(data: bytes, kind: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Returns width and height, if the chunk has them."""
    match kind:
        case b"VP8 ":
            if end - start < _FRAME_BYTES or data[start + 3 : start + 6] != b"\x9d\x01\x2a":
                raise damaged()
            width, height = struct.unpack_from("<HH", data, start + 6)
            return width & _SIDE, height & _SIDE
        case b"VP8L":
            if end - start < _LOSSLESS_BYTES or data[start : start + 1] != _LOSSLESS_SIGNATURE:
                raise damaged()
            bits = int.from_bytes(data[start + 1 : start + 5], "little")
            return (bits & _SIDE) + 1, (bits >> 14 & _SIDE) + 1
        case b"VP8X":
            if end - start < _FRAME_BYTES:
                raise damaged()
            width = int.from_bytes(data[start + 4 : start + 7], "little") + 1
            return width, int.from_bytes(data[start + 7 : start + 10], "little") + 1
        case _:
            return None
