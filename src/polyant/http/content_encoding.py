"""Decodes compressed request bodies, and bounds the work that they cause."""

import zlib
from typing import Any

from litestar.exceptions import HTTPException
from litestar.types import Receive

from polyant.domain.errors import InvalidInputError

_PIECE_BYTES = 64 * 1024
_SLACK_BYTES = 64 * 1024
"""How many bytes a compressed body may have beyond the limit for its content: short text grows when compressed."""
_MAX_GZIP_MEMBERS = 100
_DEFLATE_METHOD = 8
_GZIP_WINDOW_BITS = zlib.MAX_WBITS | 16
_CODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})


def decode_content(scope: Any, receive: Receive, *, max_body_bytes: int) -> Receive:
    """Returns a receive function for the decoded body, and removes the headers that describe the compressed one.

    Args:
        scope: The ASGI scope, whose headers are replaced.
        receive: The ASGI receive function.
        max_body_bytes: The application's limit for a body; the application itself counts the decoded bytes.
    """
    codings = _codings_of(scope["headers"])
    if not codings:
        return receive
    scope["headers"] = [item for item in scope["headers"] if item[0] not in {b"content-encoding", b"content-length"}]
    return DecodedBody(receive, codings, max_bytes=max_body_bytes + _SLACK_BYTES)


def _codings_of(headers: list[tuple[bytes, bytes]]) -> list[bytes]:
    given = b",".join(value for name, value in headers if name == b"content-encoding")
    codings = (coding.strip().lower() for coding in given.split(b","))
    return [coding for coding in codings if coding not in {b"", b"identity"}]


class DecodedBody:
    """An ASGI receive function that decodes the body piece by piece; a body that isn't read is never refused.

    Args:
        receive: Receives the compressed body.
        codings: The content codings, in the order in which they were applied.
        max_bytes: The maximum number of compressed bytes.
    """

    def __init__(self, receive: Receive, codings: list[bytes], *, max_bytes: int) -> None:
        self._receive = receive
        self._codings = codings
        self._bytes_left = max_bytes
        self._inflater: Inflater | None = None
        self._is_received = False
        self._is_passed_on = False

    async def __call__(self) -> Any:
        """Returns the next ASGI message.

        Raises:
            HTTPException: The coding is unknown (415), or there are too many compressed bytes (413).
            InvalidInputError: The body isn't valid in its coding.
        """
        if self._is_passed_on:
            return await self._receive()
        inflater = self._inflater = self._inflater or _inflater_for(self._codings)
        while not (piece := inflater.read(_PIECE_BYTES)):
            if self._is_received:
                inflater.finish()
                self._is_passed_on = True
                return {"type": "http.request", "body": b"", "more_body": False}
            message: Any = await self._receive()
            if message["type"] != "http.request":
                return message
            self._is_received = not message.get("more_body", False)
            self._count(message["body"])
            inflater.feed(message["body"])
        return {"type": "http.request", "body": piece, "more_body": True}

    def _count(self, data: bytes) -> None:
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise HTTPException(status_code=413, detail="request entity too large")


class Inflater:
    """Decompresses a gzip or deflate stream that arrives in pieces.

    A stream of `deflate` may lack the zlib header: RFC 9110 requires it, but some clients omit it.
    """

    def __init__(self, coding: bytes) -> None:
        self._coding = coding
        self._input = b""
        self._stream: Any = None  # zlib doesn't export its type
        self._members = 0
        self._has_more_output = False

    def feed(self, data: bytes) -> None:
        """Adds compressed bytes."""
        self._input += data

    def read(self, maximum: int) -> bytes:
        """Returns the next bytes, at most `maximum`; nothing if more input is needed.

        Raises:
            InvalidInputError: The input is invalid.
        """
        while self._input or self._has_more_output:
            stream = self._stream = self._stream or self._begin()
            if stream is None:
                return b""
            try:
                output: bytes = stream.decompress(self._input, maximum)
            except zlib.error:
                raise self._invalid() from None
            self._has_more_output = len(output) == maximum
            self._input = stream.unconsumed_tail
            if stream.eof:
                self._end_member(stream.unused_data)
            if output:
                return output
        return b""

    def finish(self) -> None:
        """Checks that the stream is complete.

        Raises:
            InvalidInputError: The stream is truncated.
        """
        if self._stream is not None or self._input:
            raise self._invalid()

    def _begin(self) -> Any:
        """Returns a new decompressor, or None if more input is needed to choose it."""
        if self._members and self._coding == b"deflate":
            raise self._invalid()
        if self._members == _MAX_GZIP_MEMBERS:
            raise InvalidInputError(f"A gzip body may have at most {_MAX_GZIP_MEMBERS} members")
        if self._coding != b"deflate":
            return zlib.decompressobj(_GZIP_WINDOW_BITS)
        if len(self._input) < 2:  # noqa: PLR2004 - the bytes of a zlib header
            return None
        has_header = self._input[0] & 15 == _DEFLATE_METHOD and int.from_bytes(self._input[:2], "big") % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)

    def _end_member(self, rest: bytes) -> None:
        self._members += 1
        self._stream = None
        self._has_more_output = False
        self._input = rest

    def _invalid(self) -> InvalidInputError:
        return InvalidInputError(f"The body is not valid {self._coding.decode()}")


def _inflater_for(codings: list[bytes]) -> Inflater:
    coding, *others = codings
    if others or coding not in _CODINGS:
        raise HTTPException(status_code=415, detail="Unsupported content encoding")
    return Inflater(coding)
