"""Reads the segments of JPEG images, without decoding pixels.

See https://www.w3.org/Graphics/JPEG/itu-t81.pdf, and Adobe's XMP specification, part 3, for the metadata.
"""

import re
import struct
from collections.abc import Iterator

import msgspec

from polyant.domain.media.image_header import (
    BlockKind,
    ImageHeader,
    InvalidImageError,
    MetadataBlock,
    cut_off,
    damaged,
    too_many_blocks,
)

SIGNATURE = b"\xff\xd8\xff"

_MAX_SEGMENTS = 8_192
_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, _SOI})
_LENGTH_BYTES = 2
_FRAME_BYTES = 5
_MARKER = re.compile(rb"\xff++([^\x00\xd0-\xd7\xff])", re.DOTALL)
_MARKER_IN_PIXELS = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_EXIF = b"Exif\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENSION_HEADER_BYTES = len(_XMP_EXTENSION) + 32 + 4 + 4


class _Segment(msgspec.Struct, frozen=True):
    marker: int
    start: int
    """Where the content starts, after the length."""
    end: int


def read_jpeg(data: bytes) -> ImageHeader:
    """Returns the header of a JPEG; its metadata include those of further images in the same file.

    Raises:
        InvalidImageError: The segments don't form a JPEG.
    """
    size: tuple[int, int] | None = None
    blocks: list[MetadataBlock] = []
    for segment in _Walk(data).segments():
        if segment.marker in _FRAMES and size is None:
            if segment.end - segment.start < _FRAME_BYTES:
                raise damaged()
            height, width = struct.unpack_from(">HH", data, segment.start + 1)
            size = width, height
        elif segment.marker == _APP1:
            blocks += _metadata_in(data, segment)
    if size is None:
        raise InvalidImageError("has no frame")
    width, height = size
    return ImageHeader(media_type="image/jpeg", width=width, height=height, metadata=tuple(blocks))


class _Walk:
    """One pass through the segments of a file; it never moves back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._count = 0

    def segments(self) -> Iterator[_Segment]:
        """Yields the segments of all images in the file: phones append images to the first one.

        Only the first image has to be complete.
        """
        yield from self._image()
        while (start := self._data.find(SIGNATURE, self._at)) >= 0:
            self._at = start
            try:
                yield from self._image()
            except InvalidImageError:
                if self._count > _MAX_SEGMENTS:
                    raise

    def _image(self) -> Iterator[_Segment]:
        self._at += 2
        while (marker := self._marker()) != _EOI:
            if marker in _WITHOUT_LENGTH:
                continue
            yield self._segment(marker)
            if marker == _SOS:
                found = _MARKER_IN_PIXELS.search(self._data, self._at)
                if found is None:  # many programs read images whose end is missing
                    self._at = len(self._data)
                    return
                self._at = found.start()

    def _marker(self) -> int:
        found = _MARKER.match(self._data, self._at)
        if found is None:
            raise cut_off() if not self._data[self._at :].strip(b"\xff") else damaged()
        self._at = found.end()
        return found[1][0]

    def _segment(self, marker: int) -> _Segment:
        self._count += 1
        if self._count > _MAX_SEGMENTS:
            raise too_many_blocks()
        start = self._at + _LENGTH_BYTES
        length = int.from_bytes(self._data[self._at : start], "big")
        if start > len(self._data) or self._at + length > len(self._data):
            raise cut_off()
        if length < _LENGTH_BYTES:
            raise damaged()
        self._at += length
        return _Segment(marker, start, self._at)


def _metadata_in(data: bytes, segment: _Segment) -> list[MetadataBlock]:
    start, end = segment.start, segment.end
    if data.startswith(_EXIF, start):
        return [MetadataBlock(BlockKind.EXIF, min(start + len(_EXIF) + 1, end), end)]
    if data.startswith(_XMP, start):
        return [MetadataBlock(BlockKind.XMP, start + len(_XMP), end)]
    if data.startswith(_XMP_EXTENSION, start):
        return [MetadataBlock(BlockKind.XMP_EXTENSION, min(start + _EXTENSION_HEADER_BYTES, end), end)]
    return []
