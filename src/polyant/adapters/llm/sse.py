"""Decodes server-sent events from bytes that may be split anywhere.

See https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation. Only `data` is kept:
providers that name their events repeat the name in the data. Errors are the exception: a provider may send one as an
event that is only named `error`, or, as llama.cpp does, in a field of that name.
"""

from functools import lru_cache

from polyant.adapters.llm import lenient_json
from polyant.adapters.llm.error_reports import is_error, is_error_name

BOM = b"\xef\xbb\xbf"
_LINE_ENDS = b"\r\n"
_MAX_NAME_BYTES = 64


class SseDecoder:
    """Decodes one stream into the data of its events.

    A blank line ends an event. The decoder buffers all bytes since the last event, so the caller must limit their
    number. An error that isn't in a `data` field of its own is decoded as `{"type":"error","error":…}`.
    """

    __slots__ = ("_at_start", "_data", "_is_error", "_line", "_skip_newline")

    def __init__(self) -> None:
        self._at_start = True
        self._skip_newline = False
        self._is_error = False
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
        events: list[bytes] = []
        data = self._data
        for line in self._complete_lines(chunk):
            if line.startswith(b"data: "):
                data.append(line[6:])
            elif not line:
                if self._is_error:
                    events.append(_error(b"\n".join(data)))
                    self._is_error = False
                elif data:
                    events += data if len(data) == 1 or _are_events(data) else (b"\n".join(data),)
                data.clear()
            else:
                self._read_field(line, events)
        return events

    def end(self) -> list[bytes]:
        """Returns the data of the last event if the stream ended without the blank line after it.

        Its last line may be incomplete.
        """
        return self.feed(b"\n\n")

    def _read_field(self, line: bytes, events: list[bytes]) -> None:
        name, _, value = line.partition(b":")
        name = name.strip().lower()  # some servers indent the fields
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._is_error = _names_error(value[:_MAX_NAME_BYTES])
        elif line.startswith(b"{"):  # some servers break off with an object that isn't in a field
            self._data.append(line)
        elif _names_error(name[:_MAX_NAME_BYTES]) and is_error(_loads(value)):
            events.append(_error(value))

    def _complete_lines(self, chunk: bytes) -> list[bytes]:
        if self._line:
            chunk = b"".join((*self._line, chunk))
            self._line = []
        if self._at_start:
            self._at_start = False
            chunk = chunk.removeprefix(BOM)
        lines = chunk.splitlines()
        if chunk[-1] in _LINE_ENDS:
            self._skip_newline = chunk[-1] == _LINE_ENDS[0]  # the \n of a \r\n may be the next chunk's first byte
        else:
            self._line.append(lines.pop())
        return lines


@lru_cache(maxsize=64)  # most streams have few names, and these in each event
def _names_error(name: bytes) -> bool:
    return is_error_name(name.decode("utf-8", "replace"))


def _error(report: bytes) -> bytes:
    """Returns an error's data in a form that all readers know; an empty report is an error too."""
    value = _loads(report)
    return b'{"type":"error","error":%b}' % lenient_json.dumps(value or "error").encode()


def _are_events(lines: list[bytes]) -> bool:
    """Returns whether each line is an event of its own; some servers send no blank lines between events."""
    return all(lenient_json.is_object(line.decode("utf-8", "replace")) for line in lines[:-1])


def _loads(report: bytes) -> object:
    """Returns the decoded report, or its text if it isn't JSON."""
    try:
        return lenient_json.loads(report)
    except (ValueError, RecursionError):
        return report.decode("utf-8", "replace").strip()
