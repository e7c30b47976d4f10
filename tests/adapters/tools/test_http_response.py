import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from polyant.adapters.tools.http_response import MAX_BODY_BYTES, HttpResponse, describe
from polyant.domain.tools import ToolError


def answer(body: bytes = b"", content_type: str = "text/plain", **more: Any) -> HttpResponse:
    headers = CIMultiDict({"content-type": content_type, **more.pop("headers", {})})
    given = {"status": 200, "url": "http://example.com/", "charset": None, **more}
    return HttpResponse(headers=headers, content_type=content_type, body=body, **given)


def body_of(text: str) -> str:
    return text.partition("\n\n")[2]


def test_result_has_status_address_headers_and_body() -> None:
    made = answer(
        b'{"a":1}',
        "application/json",
        status=404,
        headers={"retry-after": "3", "Set-Cookie": "c=1", "Server": "x", "ETag": '"1"'},
    )
    assert describe(made) == (
        'Status: 404 Not Found\nURL: http://example.com/\nContent-Type: application/json\nRetry-After: 3\nETag: "1"\n\n'
        '{"a":1}'
    )


def test_unknown_status_has_no_phrase() -> None:
    assert describe(answer(status=799)).startswith("Status: 799\n")


def test_empty_body_is_reported() -> None:
    assert body_of(describe(answer(status=204))) == "[no body]"


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        (None, "Grüße".encode()),
        ("utf-8", "Grüße".encode()),
        ("UTF-8", "\ufeffGrüße".encode()),
        ("iso-8859-1", "Grüße".encode("latin-1")),
        ("windows-1252", "Grüße".encode("cp1252")),
        ("utf-16", "Grüße".encode("utf-16")),
        ("utf-16", b"\xfe\xff" + "Grüße".encode("utf-16-be")),
        ("utf-16", "Grüße".encode("utf-16-le")),
        ("UTF-16LE", "Grüße".encode("utf-16-le")),
        ("gb18030", "Grüße".encode("gb18030")),
        ("no-such-charset", "Grüße".encode()),
        ("unicode_escape", "Grüße".encode()),
        ("punycode", "Grüße".encode()),
        ("rot13", "Grüße".encode()),
        ("../../x", "Grüße".encode()),
    ],
)
def test_text_is_decoded_in_its_charset_or_else_utf_8(charset: str | None, body: bytes) -> None:
    assert body_of(describe(answer(body, charset=charset))) == "Grüße"


def test_undecodable_bytes_are_marked() -> None:
    assert body_of(describe(answer(b"a\xffb\0c"))) == "a\ufffdb\ufffdc"


@pytest.mark.parametrize("content_type", ["application/octet-stream", "application/vnd.x+json", "x/y", "image/svg+xml"])
def test_utf_8_is_text_regardless_of_its_type(content_type: str) -> None:
    assert body_of(describe(answer("Grüße".encode(), content_type))) == "Grüße"


@pytest.mark.parametrize("body", [b"\x89PNG\r\n\x1a\n\0", b"text with\0NUL", b"\xff\xfe"])
def test_binary_body_is_reported_by_type_and_size(body: bytes) -> None:
    told = body_of(describe(answer(body, "image/png")))
    assert told == f"[binary body: image/png, {len(body)} bytes]"


def test_truncated_body_has_a_note_before_it() -> None:
    body = ("x" + "é" * MAX_BODY_BYTES).encode()[:MAX_BODY_BYTES]
    head, _, text = describe(answer(body, truncated=True)).partition("\n\n")
    assert head.endswith(f"Note: the body is truncated to its first {MAX_BODY_BYTES} bytes")
    assert set(text) == {"x", "é"}


def test_truncated_binary_body_has_a_minimum_size() -> None:
    assert "more than 3 bytes" in describe(answer(b"\0\1\2", "image/png", truncated=True))


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("X-GZip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_body_is_decompressed(coding: str, pack: Any) -> None:
    assert body_of(describe(answer(pack("Grüße".encode()), headers={"Content-Encoding": coding}))) == "Grüße"


def test_only_the_shown_part_is_decompressed() -> None:
    bomb = gzip.compress(b"x" * (100 * MAX_BODY_BYTES))
    told = describe(answer(bomb, headers={"Content-Encoding": "gzip"}))
    assert "Note: the body is truncated" in told
    assert body_of(told) == "x" * MAX_BODY_BYTES


def test_truncated_compressed_body_is_decompressed_as_far_as_read() -> None:
    packed = gzip.compress(bytes(range(256)).hex().encode() * 9)
    told = describe(answer(packed[: len(packed) // 2], headers={"Content-Encoding": "gzip"}, truncated=True))
    assert "Note: the body is truncated" in told
    assert body_of(told).startswith("000102")


@pytest.mark.parametrize(
    ("coding", "reason"), [("gzip", "damaged"), ("br", "unsupported"), ("gzip, gzip", "unsupported")]
)
def test_invalid_compressed_body_is_a_failure(coding: str, reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        describe(answer(b"rubbish", headers={"Content-Encoding": coding}))


def test_coding_of_an_empty_body_is_ignored() -> None:
    assert body_of(describe(answer(headers={"Content-Encoding": "br"}))) == "[no body]"


def test_long_or_invalid_header_is_shortened() -> None:
    text = describe(answer(headers={"Link": "\udcff" + "x" * 5_000}))
    assert f"Link: ?{'x' * 499}\n" in text


@given(st.binary(max_size=200), st.sampled_from([None, "utf-8", "utf-16", "utf-16be", "gbk", "cp932", "big5", "utf-7"]))
def test_any_body_becomes_json_encodable_text(body: bytes, charset: str | None) -> None:
    assert describe(answer(body, charset=charset)).encode()
