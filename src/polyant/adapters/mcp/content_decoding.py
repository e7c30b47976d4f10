"""Decodes the content encoding of responses within a size limit."""

import zlib
from collections.abc import AsyncIterable, AsyncIterator

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 47}
"""The `wbits` of zlib; 47 also detects the header that some servers send with deflate."""

_PIECE_BYTES = 64 * 1024


class ResponseTooLongError(Exception):
    """A response has more bytes than allowed, counted after decoding."""


class UnsupportedEncodingError(Exception):
    """A response has a content encoding that isn't identity, gzip or deflate, or breaks it."""


async def decoded(body: AsyncIterable[bytes], encoding: str, *, max_bytes: int) -> AsyncIterator[bytes]:
    """Yields the body without its content encoding.

    Args:
        body: The body as received.
        encoding: The value of the `Content-Encoding` header.
        max_bytes: How many bytes may be received, and how many may be yielded.

    Raises:
        ResponseTooLongError: The body is longer; nothing beyond the limit was decoded.
        UnsupportedEncodingError: The encoding can't be decoded.
    """
    encoding = encoding.strip().lower()
    pieces = _received(body, max_bytes)
    if encoding not in {"", "identity"}:
        if encoding not in _WINDOWS:
            raise UnsupportedEncodingError
        pieces = _inflated(pieces, _WINDOWS[encoding], max_bytes)
    async for piece in pieces:
        yield piece


async def _received(body: AsyncIterable[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    left = max_bytes
    async for piece in body:
        left -= len(piece)
        if left < 0:
            raise ResponseTooLongError
        yield piece


async def _inflated(pieces: AsyncIterable[bytes], window: int, max_bytes: int) -> AsyncIterator[bytes]:
    inflater, left = zlib.decompressobj(window), max_bytes
    try:
        async for piece in pieces:
            rest = piece
            while rest and not inflater.eof:
                output = inflater.decompress(rest, _PIECE_BYTES)
                rest = inflater.unconsumed_tail
                left -= len(output)
                if left < 0:
                    raise ResponseTooLongError
                yield output
    except zlib.error:
        raise UnsupportedEncodingError from None
