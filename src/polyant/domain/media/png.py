"""Reads the chunks of PNG images, without decompressing pixels.

See https://www.w3.org/TR/png-3/.
"""

import struct
import zlib

from polyant.domain.media.image_header import (
    BlockKind,
    ImageHeader,
    MetadataBlock,
    cut_off,
    damaged,
    too_many_blocks,
)
from polyant.domain.media.xmp import mentions_location

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_MAX_CHUNKS = 65_536
_CHUNK_OVERHEAD = 12
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_RAW_PROFILES = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"Raw profile type xmp\0")
_MAX_PROFILE_BYTES = 1024 * 1024
"""The maximum size of compressed metadata that is searched; larger ones count as metadata with a location."""


def read_png(data: bytes) -> ImageHeader:
    """Returns the header of a PNG.

    Raises:
        InvalidImageError: The chunks don't form a PNG.
    """
    if len(data) < len(SIGNATURE) + _CHUNK_OVERHEAD + 13:
        raise cut_off()
    if data[12:16] != b"IHDR" or data[8:12] != b"\0\0\0\x0d":
        raise damaged()
    width, height = struct.unpack_from(">II", data, 16)
    return ImageHeader(media_type="image/png", width=width, height=height, metadata=_metadata(data))


def _metadata(data: bytes) -> tuple[MetadataBlock, ...]:
    blocks: list[MetadataBlock] = []
    budget = _MAX_PROFILE_BYTES
    at = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if at + _CHUNK_OVERHEAD > len(data):
            raise cut_off()
        length, kind = struct.unpack_from(">I4s", data, at)
        start, end = at + 8, at + 8 + length
        if end + 4 > len(data):
            raise cut_off()
        if kind == b"eXIf":
            blocks.append(MetadataBlock(BlockKind.EXIF, start, end, (at + 4, end)))
        elif kind in {b"iTXt", b"zTXt", b"tEXt"}:
            block, budget = _text_block(data[start:end], kind, (at, end + 4), budget)
            blocks += block
        elif kind == b"IEND":
            return tuple(blocks)
        at = end + 4
    raise too_many_blocks()


def _text_block(content: bytes, kind: bytes, chunk: tuple[int, int], budget: int) -> tuple[list[MetadataBlock], int]:
    """Returns the block of metadata in a text chunk, if there is one, and the bytes that may still be decompressed."""
    begin, end = chunk
    whole = [MetadataBlock(BlockKind.WRAPPED, begin, end)]
    if kind == b"iTXt" and content.startswith(_XMP_KEYWORD):
        flags, rest = content[len(_XMP_KEYWORD) :][:2], content[len(_XMP_KEYWORD) + 2 :]
        text = rest.split(b"\0", 2)[-1]  # after the language and the translated keyword
        if flags[:1] != b"\1":
            start = end - 4 - len(text)
            return [MetadataBlock(BlockKind.XMP, start, end - 4, (begin + 4, end - 4))], budget
        found, budget = _decompressed(text, budget)
        return (whole if found is None or mentions_location(found) else []), budget
    if kind != b"iTXt" and content.startswith(_RAW_PROFILES):
        _, _, text = content.partition(b"\0")
        found, budget = _decompressed(text[1:], budget) if kind == b"zTXt" else (text, budget)
        return (whole if found is None or _profile_has_location(found) else []), budget
    return [], budget


def _profile_has_location(text: bytes) -> bool:
    """Returns whether a profile in ImageMagick's form, hexadecimal digits after its name and length, has a location."""
    digits = b"".join(text.split()[2:])
    try:
        profile = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return True
    return mentions_location(profile) or b"\x88\x25" in profile or b"\x25\x88" in profile


def _decompressed(text: bytes, budget: int) -> tuple[bytes | None, int]:
    """Returns the text and the rest of the budget; None if the text is damaged or larger than the budget."""
    decompressor = zlib.decompressobj()
    try:
        found = decompressor.decompress(text, budget) if budget > 0 else b""
    except zlib.error:
        return None, budget
    return (found if decompressor.eof else None), budget - len(found)
