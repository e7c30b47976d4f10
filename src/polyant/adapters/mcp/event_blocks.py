"""Splits a stream of server-sent events into its events, without decoding their data."""

import re
from collections.abc import Iterator

from polyant.adapters.mcp.content_decoding import ResponseTooLongError

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAX_EVENTS = 10_000
_FIELDS = (b"data", b"id", b"retry", b"event")


class EventBlock:
    """One event: its data, and its other fields.

    Args:
        lines: The lines of the event, without line ends.
    """

    def __init__(self, lines: list[bytes]) -> None:
        self.data = b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
        self._others = [line for line in lines if not line.startswith(b"data")]

    def encode(self, data: bytes) -> bytes:
        """Returns the event with other data; JSON has line breaks only between its tokens, so they become spaces."""
        lines = [*self._others, b"data: " + _LINE_END.sub(b" ", data)]
        return b"\n".join(lines) + b"\n\n"


class EventSplitter:
    """Splits bytes into events; comments, and events with neither data nor id, are left out.

    `feed` and `end` raise ResponseTooLongError for more than 10,000 events, which the package reads one by one.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._lines: list[bytes] = []
        self._left = _MAX_EVENTS

    def feed(self, piece: bytes) -> Iterator[EventBlock]:
        """Yields the events that the piece completes."""
        held_back = self._rest.endswith(b"\r")
        self._rest += piece
        if not (held_back or b"\n" in piece or b"\r" in piece):
            return
        # A carriage return at the end may be the first half of a line end.
        whole = bytes(self._rest.removesuffix(b"\r"))
        *lines, rest = _LINE_END.split(whole)
        self._rest = bytearray(rest + bytes(self._rest[len(whole) :]))
        for line in lines:
            yield from self._add(line)

    def end(self) -> Iterator[EventBlock]:
        """Yields the last event, if the stream ended without the empty line after it."""
        yield from self._add(bytes(self._rest).removesuffix(b"\r"))
        yield from self._add(b"")

    def _add(self, line: bytes) -> Iterator[EventBlock]:
        line = line.removeprefix(_BYTE_ORDER_MARK)
        if line.startswith(_FIELDS):
            self._lines.append(line)
        elif not line and self._lines:
            lines, self._lines = self._lines, []
            if any(each.startswith((b"data:", b"id")) for each in lines):
                self._left -= 1
                if self._left < 0:
                    raise ResponseTooLongError
                yield EventBlock(lines)
