"""Decodes streams of JSON objects without server-sent events, from bytes that may be split anywhere."""

from polyant.adapters.llm.lenient_json import is_object

_LINE_END = b"\n"
_AROUND_OBJECTS = b" \t\r,[]"


class JsonLinesDecoder:
    """Decodes one stream of objects, each in a line of its own, also within an array.

    A body that begins with an object in a line is a stream if another line follows; otherwise it is one document. The
    decoder buffers what may be one document, so the caller must limit its size.

    Args:
        is_stream: Whether the body is known to be a stream, so that its first object needn't wait for the next one.
    """

    def __init__(self, *, is_stream: bool = False) -> None:
        self.is_stream = is_stream
        """Whether the body is known to be a stream of objects."""
        self._is_document = False
        self._has_line = False
        self._parts: list[bytes] = []

    @property
    def body(self) -> bytes:
        """The bytes that haven't been returned: all of them, unless the body is a stream."""
        return b"".join(self._parts)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Returns the lines that end in this chunk, without the punctuation of an array around objects."""
        self._parts.append(chunk)
        has_news = _LINE_END in chunk or (self._has_line and not self.is_stream)
        if self._is_document or not has_news:
            return []
        *lines, rest = self.body.split(_LINE_END)
        if not self.is_stream and not self._begins_stream(lines, rest):
            return []
        self._parts = [rest]
        return [data for line in lines if (data := _data_in(line))]

    def end(self) -> list[bytes]:
        """Returns the last line of a stream, which may be incomplete."""
        return self.feed(_LINE_END) if self.is_stream else []

    def _begins_stream(self, lines: list[bytes], rest: bytes) -> bool:
        found = [data for line in (*lines, rest) if (data := _data_in(line))]
        self._has_line = any(map(_data_in, lines))
        if self._has_line:
            self._is_document = not is_object(found[0].decode("utf-8", "replace"))
            self.is_stream = not self._is_document and len(found) > 1
        return self.is_stream


def _data_in(line: bytes) -> bytes:
    """Returns the object in a line, without the punctuation around it; another line without white space."""
    data = line.strip(_AROUND_OBJECTS)
    return data if data.startswith(b"{") else line.strip() if data else b""
