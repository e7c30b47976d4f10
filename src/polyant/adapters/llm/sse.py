"""Decodes server-sent events from bytes that may be split anywhere.

See https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation. Only `data` is kept:
providers that name their events repeat the name in the data.
"""

_BOM = b"\xef\xbb\xbf"
_LINE_ENDS = b"\r\n"


class SseDecoder:
    """Decodes one stream into the data of its events.

    A blank line ends an event; incomplete data at the end of the stream is ignored. The decoder buffers all bytes since
    the last event, so the caller must limit their number.
    """

    __slots__ = ("_at_start", "_data", "_line", "_skip_newline")

    def __init__(self) -> None:
        self._at_start = True
        self._skip_newline = False
        self._line: list[bytes] = []  # parts of an unfinished line; joined once, so that the cost stays linear
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """Returns the data of the events that end in this chunk."""
        if self._skip_newline and chunk:
            self._skip_newline = False
            chunk = chunk.removeprefix(b"\n")
        if b"\n" not in chunk and b"\r" not in chunk:
            self._line.append(chunk)
            return []
        events = []
        for line in self._complete_lines(chunk):
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif line == b"data":
                self._data.append(b"")
            elif not line and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
        return events

    def _complete_lines(self, chunk: bytes) -> list[bytes]:
        if self._line:
            chunk = b"".join((*self._line, chunk))
            self._line = []
        if self._at_start:
            self._at_start = False
            chunk = chunk.removeprefix(_BOM)
        lines = chunk.splitlines()
        if chunk[-1] in _LINE_ENDS:
            self._skip_newline = chunk[-1] == _LINE_ENDS[0]  # the \n of a \r\n may be the next chunk's first byte
        else:
            self._line.append(lines.pop())
        return lines
