"""Reads the blocks of GIF images, without decoding pixels.

See https://www.w3.org/Graphics/GIF/spec-gif89a.txt, and Adobe's XMP specification, part 3, for the metadata.
"""

import struct

from polyant.domain.media.image_header import (
    BlockKind,
    ImageHeader,
    MetadataBlock,
    cut_off,
    damaged,
    too_many_blocks,
)
from polyant.domain.media.xmp import mentions_location

SIGNATURES = (b"GIF87a", b"GIF89a")

_MAX_BLOCKS = 500_000
_SCREEN_BYTES = 13
_DESCRIPTOR_BYTES = 10
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_XMP = b"\x21\xff\x0bXMP DataXMP"
_XMP_TRAILER = bytes((1, *range(255, -1, -1), 0))
"""The end of the block after the XML text, so that programs that don't know the block find its end."""


def read_gif(data: bytes) -> ImageHeader:
    """Returns the header of a GIF.

    Raises:
        InvalidImageError: The blocks don't form a GIF.
    """
    if len(data) < _SCREEN_BYTES:
        raise cut_off()
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = _SCREEN_BYTES + _color_table_bytes(flags)
    blocks: list[MetadataBlock] = []
    steps = _Steps()
    while at < len(data) and data[at] != _TRAILER:
        if data[at] == _IMAGE:
            if at + _DESCRIPTOR_BYTES > len(data):
                raise cut_off()
            table = _color_table_bytes(data[at + _DESCRIPTOR_BYTES - 1])
            at = steps.end_of_sub_blocks(data, at + _DESCRIPTOR_BYTES + table + 1)
        elif data[at] == _EXTENSION:
            end = steps.end_of_sub_blocks(data, at + 2)
            if data.startswith(_XMP, at):
                blocks += _xmp_block(data, at, end)
            at = end
        else:
            raise damaged()
    return ImageHeader(media_type="image/gif", width=width, height=height, metadata=tuple(blocks))


class _Steps:
    """Follows chains of sub-blocks, up to a number of them for the whole image."""

    def __init__(self) -> None:
        self._left = _MAX_BLOCKS

    def end_of_sub_blocks(self, data: bytes, at: int) -> int:
        """Returns the position after the last sub-block of a chain."""
        size = len(data)
        while self._left > 0:
            self._left -= 1
            if at >= size:
                raise cut_off()
            length = data[at]
            at += length + 1
            if length == 0:
                return at
        raise too_many_blocks()


def _xmp_block(data: bytes, begin: int, end: int) -> list[MetadataBlock]:
    text_end = end - len(_XMP_TRAILER)
    if text_end >= begin + len(_XMP) and data[text_end:end] == _XMP_TRAILER:
        return [MetadataBlock(BlockKind.XMP, begin + len(_XMP), text_end)]
    return [MetadataBlock(BlockKind.WRAPPED, begin, end)] if mentions_location(data[begin:end]) else []


def _color_table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0
