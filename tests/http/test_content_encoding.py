"""Compressed request bodies."""

import asyncio
import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.chat import UserMessage
from polyant.domain.errors import InvalidInputError
from polyant.domain.limits import RateLimit
from polyant.http.content_encoding import Inflater
from support.app import CHAT, App, chat_body, serving
from support.asgi import Response
from support.envelopes import assert_refused
from support.sessions import session_token

MIB = 2**20
BODY = chat_body(text="Grüße")


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # the bytes are part of the tests' names


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": packed,
    "deflate": zlib.compress,
    "raw": raw_deflate,
}


async def post(app: App, body: bytes | tuple[bytes, ...], coding: str, **headers: str) -> Response:
    given_headers = {"content-type": "application/json", "content-encoding": coding, **headers}
    return await app.request("POST", CHAT, body=body, headers=given_headers)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", packed(BODY)),
        ("GZip", packed(BODY)),
        ("x-gzip", packed(BODY)),
        ("identity, gzip", packed(BODY)),
        ("gzip", packed(BODY[:9]) + packed(b"") + packed(BODY[9:])),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
        ("deflate", zlib.compress(BODY, level=0)),
        ("identity", BODY),
        ("", BODY),
        (",", BODY),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 100_000])
async def test_compressed_body_is_decoded(app: App, coding: str, body: bytes, piece: int) -> None:
    pieces = tuple(body[at : at + piece] for at in range(0, len(body), piece))
    assert (await post(app, pieces, coding)).status == 200
    assert app.supervisor.turns[0].messages == (UserMessage.of("Grüße"),)


async def test_decoded_body_may_begin_with_a_byte_order_mark(app: App) -> None:
    assert (await post(app, packed(b"\xef\xbb\xbf" + BODY), "gzip")).status == 200


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "deflate, gzip", "gzip;q=1", "*", "é"])
async def test_other_encoding_is_415(app: App, coding: str) -> None:
    assert_refused(await post(app, BODY, coding), 415, "Unsupported content encoding")
    assert app.supervisor.turns == []


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", BODY),
        ("gzip", packed(BODY)[:-1]),
        ("gzip", packed(BODY) + b"x"),
        ("gzip", packed(BODY)[:-8] + b"\0" * 8),
        ("gzip", b"\x1f"),
        ("gzip", zlib.compress(BODY)),
        ("deflate", b"x"),
        ("deflate", packed(BODY)),
        ("deflate", zlib.compress(BODY)[:-1]),
        ("deflate", zlib.compress(BODY) + b"x"),
        ("deflate", zlib.compress(BODY)[:-4] + b"\0" * 4),
    ],
)
async def test_body_that_is_not_valid_in_its_encoding_is_rejected(app: App, coding: str, body: bytes) -> None:
    assert_refused(await post(app, body, coding), 400, f"The body is not valid {coding}")
    assert app.supervisor.turns == []


async def test_empty_compressed_body_is_an_empty_body(app: App) -> None:
    for body in (b"", packed(b"")):
        assert_refused(await post(app, body, "gzip"), 400, "The body is empty: send a JSON object")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_size_is_counted_after_decoding(coding: str) -> None:
    compress = COMPRESS[coding]
    body = chat_body(text="x" * (3 * 64 * 1024))
    async with serving(max_body_bytes=len(body)) as app:
        assert (await post(app, compress(body), coding)).status == 200
        assert_refused(await post(app, compress(body + b" "), coding), 413, "request entity too large")


async def test_bomb_is_413_and_is_not_inflated_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    inflated = 0
    read = Inflater.read

    def counting_read(self: Inflater, maximum: int) -> bytes:
        nonlocal inflated
        output = read(self, maximum)
        inflated += len(output)
        return output

    monkeypatch.setattr(Inflater, "read", counting_read)
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    bomb = b"".join(packer.compress(bytes(MIB)) for _ in range(256)) + packer.flush()
    async with serving() as app:
        assert_refused(await post(app, bomb, "gzip"), 413, "request entity too large")
    assert inflated <= 4 * MIB + 64 * 1024


async def test_compressed_bytes_are_bounded_too() -> None:
    """A stored block of no bytes makes a stream longer and its content no larger."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    padding = b"".join(packer.flush(zlib.Z_FULL_FLUSH) + packer.compress(b"") for _ in range(2))
    endless = padding + b"\0\0\0\xff\xff" * 30_000
    async with serving(max_body_bytes=1_000) as app:
        assert_refused(await post(app, endless, "gzip"), 413, "request entity too large")


async def test_number_of_gzip_members_is_bounded(app: App) -> None:
    member = packed(b"")
    assert (await post(app, member * 99 + packed(BODY), "gzip")).status == 200
    response = await post(app, member * 100 + packed(BODY), "gzip")
    assert_refused(response, 400, "A gzip body may have at most 100 members")


async def test_rate_limit_and_content_type_are_checked_first() -> None:
    async with serving(rate_limit=RateLimit(2, 60)) as app:
        response = await post(app, BODY, "br", **{"content-type": "text/plain"})
        assert_refused(response, 400, "The body must be JSON: send Content-Type: application/json")
        assert (await post(app, BODY, "br")).status == 415
        assert (await post(app, BODY, "br")).status == 429


async def test_management_accepts_the_same_encodings(app: App) -> None:
    headers = {"authorization": f"Bearer {session_token()}", "content-type": "application/json"}
    body = b'{"slug":"a-bot","name":"A","provider":"echo"}'
    for coding, sent, status in (("br", body, 415), ("gzip", body, 400), ("gzip", packed(body), 201)):
        encoded = {**headers, "content-encoding": coding}
        assert (await app.request("POST", "/api/instances", body=sent, headers=encoded)).status == status


async def test_encoding_of_a_body_that_is_not_read_does_not_matter(app: App) -> None:
    assert (await app.get("/health", content_encoding="br")).status == 200


async def test_disconnect_after_a_compressed_body_abandons_the_turn(app: App) -> None:
    app.supervisor.plays(asyncio.Event())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    exchange = app.start("POST", CHAT, body=packed(BODY), headers=headers)
    await app.supervisor.runs()
    exchange.disconnect()
    await app.supervisor.was_abandoned()
    await exchange.over()


pieces = st.lists(st.binary(max_size=300), max_size=5)


@given(pieces, st.sampled_from(["gzip", "deflate", "raw"]), st.integers(1, 50), st.integers(1, 200))
def test_any_split_of_the_input_inflates_to_the_same_bytes(
    parts: list[bytes], kind: str, fed: int, maximum: int
) -> None:
    content = b"".join(parts) * 3
    compressed = COMPRESS[kind](content)
    inflater = Inflater(b"gzip" if kind == "gzip" else b"deflate")
    output = bytearray()
    for at in range(0, len(compressed), fed):
        inflater.feed(compressed[at : at + fed])
        while piece := inflater.read(maximum):
            assert len(piece) <= maximum
            output += piece
    inflater.finish()
    assert bytes(output) == content


@given(st.binary(min_size=1, max_size=200), st.sampled_from([b"gzip", b"deflate"]))
def test_rubbish_raises_only_invalid_input(rubbish: bytes, coding: bytes) -> None:
    inflater = Inflater(coding)
    inflater.feed(rubbish)
    try:
        while inflater.read(100):
            pass
        inflater.finish()
    except InvalidInputError as error:
        assert error.message == f"The body is not valid {coding.decode()}"  # noqa: PT017 - rubbish may also be valid
