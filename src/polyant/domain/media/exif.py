"""Removes the location from EXIF metadata by overwriting it, so that nothing else moves.

See the Exif specification, CIPA DC-008, and TIFF 6.0 for the directories.
"""

import struct
from collections.abc import Iterator

import msgspec

_GPS_POINTER = 0x8825
_DIRECTORY_POINTERS = frozenset({0x8769, 0xA005, 0x014A})
_MAX_DIRECTORIES = 32
_MAX_ENTRIES = 8_192
_ENTRY_BYTES = 12
_HEADER_BYTES = 8
_INLINE_BYTES = 4
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


class _MalformedError(Exception):
    """The structure can't be followed within the limits."""


class _Entry(msgspec.Struct, frozen=True):
    tag: int
    kind: int
    count: int
    value: int
    """The value, or its offset if it has more than four bytes."""
    at: int

    @property
    def size(self) -> int:
        return _TYPE_BYTES.get(self.kind, 1) * self.count


class _Directory(msgspec.Struct, frozen=True):
    at: int
    count: int
    entries: tuple[_Entry, ...]
    """The entries that fit into the block."""

    @property
    def end(self) -> int:
        return self.at + 2 + _ENTRY_BYTES * len(self.entries)


def without_exif_location(tiff: bytes) -> bytes:
    """Returns the block without the entries that point to a GPS directory, and with zeros in place of the directory.

    Entries after a removed one move up inside their directory; everything else stays where it is. A block that can't
    be followed is replaced by zeros as a whole, because a more tolerant reader might find a location in it.
    """
    order = _ORDERS.get(tiff[:4])
    if b"\x88\x25" not in tiff and b"\x25\x88" not in tiff:
        return tiff
    if order is None or len(tiff) < _HEADER_BYTES:
        return bytes(len(tiff))
    reader = _Reader(tiff, order)
    try:
        directories = list(reader.directories())
        targets = [entry.value for each in directories for entry in each.entries if entry.tag == _GPS_POINTER]
        gps = [reader.directory(offset) for offset in dict.fromkeys(targets)]
    except _MalformedError:
        return bytes(len(tiff))
    if not targets:
        return tiff
    cleaned = bytearray(tiff)
    _blank(cleaned, [each for each in gps if each], directories)
    for each in directories:
        _remove_pointers(cleaned, each, order)
    return bytes(cleaned)


class _Reader:
    """Reads directories, up to a number of them and of their entries."""

    def __init__(self, tiff: bytes, order: str) -> None:
        self._tiff = tiff
        self._order = order
        self._entries_left = _MAX_ENTRIES

    def directories(self) -> Iterator[_Directory]:
        """Yields the directories that can be reached, each once, without those for locations."""
        waiting, seen = [self._unsigned(4)], set[int]()
        while waiting:
            offset = waiting.pop()
            if offset in seen or (directory := self.directory(offset)) is None:
                continue
            seen.add(offset)
            if len(seen) > _MAX_DIRECTORIES:
                raise _MalformedError
            yield directory
            if directory.end + 4 <= len(self._tiff):
                waiting.append(self._unsigned(directory.end))
            for entry in directory.entries:
                if entry.tag in _DIRECTORY_POINTERS:
                    waiting += self._targets(entry)

    def directory(self, offset: int) -> _Directory | None:
        """Returns the directory at an offset; None if there can't be one."""
        if offset < _HEADER_BYTES or offset + 2 > len(self._tiff):
            return None
        (count,) = struct.unpack_from(f"{self._order}H", self._tiff, offset)
        fitting = min(count, (len(self._tiff) - offset - 2) // _ENTRY_BYTES)
        self._entries_left -= fitting
        if self._entries_left < 0:
            raise _MalformedError
        places = range(offset + 2, offset + 2 + fitting * _ENTRY_BYTES, _ENTRY_BYTES)
        return _Directory(offset, count, tuple(map(self._entry, places)))

    def _entry(self, at: int) -> _Entry:
        tag, kind, count, value = struct.unpack_from(f"{self._order}HHII", self._tiff, at)
        return _Entry(tag, kind, count, value, at)

    def _targets(self, entry: _Entry) -> list[int]:
        if entry.size <= _INLINE_BYTES:
            return [entry.value]
        if entry.count > _MAX_DIRECTORIES:
            raise _MalformedError
        places = range(entry.value, entry.value + 4 * entry.count, 4)
        return [self._unsigned(place) for place in places if place + 4 <= len(self._tiff)]

    def _unsigned(self, at: int) -> int:
        number: int = struct.unpack_from(f"{self._order}I", self._tiff, at)[0]
        return number


def _blank(tiff: bytearray, gps: list[_Directory], kept: list[_Directory]) -> None:
    """Overwrites the directories for locations and the values of their entries."""
    protected = [(0, _HEADER_BYTES), *((each.at, each.end) for each in kept)]
    ranges = [(each.at, each.end) for each in gps]
    for each in gps:
        ranges += [(e.value, e.value + e.size) for e in each.entries if e.size > _INLINE_BYTES]
    position = 0
    for start, end in sorted(ranges):
        first, last = max(start, position), min(end, len(tiff))
        if first < last and not any(first < until and since < last for since, until in protected):
            tiff[first:last] = bytes(last - first)
            position = last


def _remove_pointers(tiff: bytearray, directory: _Directory, order: str) -> None:
    removed = [entry for entry in directory.entries if entry.tag == _GPS_POINTER]
    if not removed:
        return
    kept = [entry for entry in directory.entries if entry.tag != _GPS_POINTER]
    following = bytes(tiff[directory.end : directory.end + 4])
    content = b"".join(bytes(tiff[entry.at : entry.at + _ENTRY_BYTES]) for entry in kept) + following
    count = struct.pack(f"{order}H", directory.count - len(removed))
    padding = bytes(_ENTRY_BYTES * len(removed))
    tiff[directory.at : directory.end + len(following)] = count + content + padding
