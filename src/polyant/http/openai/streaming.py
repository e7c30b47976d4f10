"""Renders the server-sent events of a chat completion; the constant parts are rendered once per response."""

import msgspec

from polyant.domain.instances import Slug
from polyant.http.error_bodies import ErrorBody, ErrorFormat, event_error
from polyant.http.openai.wire import UsageOut

PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"

HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
    (b"connection", b"keep-alive"),
)

# JSON allows these characters unescaped, but some clients treat them as line ends.
_LINE_ENDS = (("\u0085", b"\\u0085"), ("\u2028", b"\\u2028"), ("\u2029", b"\\u2029"))

_encode = msgspec.json.encode


class ChunkRenderer:
    """Renders the chunks of one stream, which share the same id, creation time and model.

    Args:
        completion_id: The id of the chat completion.
        created: The creation time in Unix seconds.
        slug: The instance, which is the model of the chunks.
        include_usage: Whether each chunk has a `usage` field.
    """

    def __init__(self, completion_id: str, created: int, slug: Slug, *, include_usage: bool) -> None:
        head = {"id": completion_id, "object": "chat.completion.chunk", "created": created, "model": slug}
        self._head = b"data: " + _encode(head)[:-1]
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._before_text = self._head + b',"choices":[{"index":0,"delta":{"content":'
        self._after_text = b'},"finish_reason":null}]' + self._tail

    def role(self) -> bytes:
        """Returns the first chunk, which contains the role `assistant`."""
        return self._head + b',"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]' + self._tail

    def text(self, text: str) -> bytes:
        """Returns the chunk for one text delta."""
        encoded = _encode(text)
        if not text.isascii():
            encoded = _without_line_ends(text, encoded)
        return self._before_text + encoded + self._after_text

    def finish(self) -> bytes:
        """Returns the last chunk with a choice, which contains the finish reason `stop`."""
        return self._head + b',"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]' + self._tail

    def usage(self, usage: UsageOut) -> bytes:
        """Returns the chunk with the token counts."""
        return self._head + b',"choices":[],"usage":' + _encode(usage) + b"}\n\n"


def error_event(error: ErrorBody, error_format: ErrorFormat) -> bytes:
    """Returns the event for an error after the status line; the official clients raise an exception for it."""
    return b'data: {"error":' + _encode(event_error(error, error_format)) + b"}\n\n"


def _without_line_ends(text: str, encoded: bytes) -> bytes:
    for character, escape in _LINE_ENDS:
        if character in text:
            encoded = encoded.replace(character.encode(), escape)
    return encoded
