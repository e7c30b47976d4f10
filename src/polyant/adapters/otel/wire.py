"""Encodes spans in the protobuf format of OTLP: https://github.com/open-telemetry/opentelemetry-proto.

The SDK's own objects and encoder take many times as long, which would be a quarter of a short turn's CPU time.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

_BYTES = 2
"""The wire type of texts, bytes and messages."""

_CONTINUES = 0x80
_MASK = 0x7F
_CACHED_KEYS = 256
_MAX_VARINT_BYTES = 10


def _encoded_varint(number: int) -> bytes:
    encoded = bytearray()
    while number > _MASK:
        encoded.append(number & _MASK | _CONTINUES)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_TABLE = tuple(map(_encoded_varint, range(2_048)))
"""The encoding of small numbers, which most lengths and counts are."""

_TABLE_SIZE = len(_TABLE)
_times = struct.Struct("<cQcQ").pack
_FAILED = b"\x7a\x02\x18\x02"

AttributeValue = str | int


def encode_constant(name: str, attributes: Mapping[str, AttributeValue], *, client: bool = False) -> bytes:
    """Returns the name, kind and attributes that many spans share.

    Args:
        name: The name of the spans.
        attributes: The attributes.
        client: Whether the kind is CLIENT instead of INTERNAL.
    """
    kind = b"\x30\x03" if client else b"\x30\x01"
    return _field(5, name.encode("utf-8", "replace")) + kind + encode_attributes(attributes)


def encode_position(trace_id: str, parent_id: str | None, state: str) -> bytes:
    """Returns the position in a trace, which the spans below one parent share.

    Args:
        trace_id: 32 hexadecimal digits.
        parent_id: 16 hexadecimal digits; None for a span without a parent.
        state: The `tracestate`, or an empty text.
    """
    position = b"\x0a\x10" + bytes.fromhex(trace_id)
    if parent_id is not None:
        position += b"\x22\x08" + bytes.fromhex(parent_id)
    return position + _field(3, state.encode()) if state else position


def encode_span(
    constant: bytes,
    position: bytes,
    span_id: bytes,
    *,
    start: int,
    end: int,
    attributes: bytes = b"",
    failed: bool = False,
) -> bytes:
    """Returns the span as a message `Span`, in a field of `ScopeSpans`.

    Args:
        constant: The result of `encode_constant`.
        position: The result of `encode_position`.
        span_id: The 8 bytes of the id.
        start: Nanoseconds since 1970.
        end: Nanoseconds since 1970.
        attributes: Encoded attributes, in addition to those of the constant.
        failed: Whether the status is an error.
    """
    body = b"".join(
        (
            position,
            b"\x12\x08",
            span_id,
            constant,
            _times(b"\x39", start, b"\x41", end),
            attributes,
            _FAILED if failed else b"",
        )
    )
    size = len(body)
    return b"\x12" + (_TABLE[size] if size < _TABLE_SIZE else _encoded_varint(size)) + body


def encode_attributes(attributes: Mapping[str, AttributeValue]) -> bytes:
    """Returns attributes of a span."""
    return b"".join([_field(9, _key_value(name, value)) for name, value in attributes.items()])


def count_encoder(name: str) -> Callable[[int], bytes]:
    """Returns the function that encodes an attribute whose value is a whole number of at least 0."""
    key = _key(name)
    starts = [
        b"".join((b"\x4a", _varint(len(key) + 3 + size), key, b"\x12", _varint(1 + size), b"\x18"))
        for size in range(_MAX_VARINT_BYTES + 1)
    ]

    def encode(count: int) -> bytes:
        value = _TABLE[count] if count < _TABLE_SIZE else _encoded_varint(count)
        return starts[len(value)] + value

    return encode


def text_encoder(name: str) -> Callable[[str], bytes]:
    """Returns the function that encodes an attribute whose value is a text."""
    key = _key(name)

    def encode(text: str) -> bytes:
        value = text.encode("utf-8", "replace")
        size = len(value)
        if size >= _CONTINUES - 2:
            return _field(9, key + _field(2, _field(1, value)))
        return b"".join(
            (b"\x4a", _TABLE[len(key) + 4 + size], key, b"\x12", _TABLE[2 + size], b"\x0a", _TABLE[size], value)
        )

    return encode


def encode_request(
    resource: Mapping[str, object], scope: tuple[str, str], schema_url: str, spans: Iterable[bytes]
) -> bytes:
    """Returns a request with encoded spans.

    Args:
        resource: The attributes of the resource; values other than text and whole numbers are sent as text.
        scope: The name and the version of the instrumentation scope.
        schema_url: The version of the semantic conventions.
        spans: The results of `encode_span`.
    """
    name, version = scope
    attributes = b"".join(
        _field(1, _key_value(key, value if isinstance(value, int) else str(value))) for key, value in resource.items()
    )
    scope_fields = _field(1, name.encode()) + _field(2, version.encode())
    scope_spans = b"".join((_field(1, scope_fields), *spans, _field(3, schema_url.encode())))
    return _field(1, _field(1, attributes) + _field(2, scope_spans))


def _field(number: int, content: bytes) -> bytes:
    return _TABLE[number << 3 | _BYTES] + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    return _TABLE[number] if number < _TABLE_SIZE else _encoded_varint(number)


def _key_value(key: str, value: AttributeValue) -> bytes:
    encoded = b"\x18" + _varint(value) if isinstance(value, int) else _field(1, value.encode("utf-8", "replace"))
    return _key(key) + _field(2, encoded)


@lru_cache(_CACHED_KEYS)
def _key(key: str) -> bytes:
    return _field(1, key.encode("utf-8", "replace"))
