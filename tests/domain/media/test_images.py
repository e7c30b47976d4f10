"""Images are checked by their headers, and lose their location but nothing else."""

import contextlib
import struct
import time
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.domain.media.image_header import InvalidImageError
from polyant.domain.media.images import MAX_SIDE_PIXELS, check_image, read_header
from support.images import (
    ATTRIBUTE,
    ELEMENT,
    GPS_BYTES,
    IMAGE_CASES,
    ITXT,
    exif,
    exif_segment,
    gif,
    gif_xmp,
    jpeg,
    png,
    webp,
    xmp,
    xmp_segment,
)
from support.patience import seconds

PLAIN_XMP = xmp(b' exif:Make="X"', b"<dc:creator>Ada</dc:creator>")
each_image = pytest.mark.parametrize("data", IMAGE_CASES.values(), ids=IMAGE_CASES)


@each_image
def test_image_without_location_stays_byte_for_byte(data: bytes) -> None:
    assert check_image(data).data is data


@each_image
def test_type_and_size_come_from_the_content(data: bytes) -> None:
    header = read_header(data)
    kind = next(name for name, image in IMAGE_CASES.items() if image is data).split()[0]
    assert (header.media_type, header.width, header.height) == (f"image/{kind}", 3, 2)
    assert check_image(data).media_type == header.media_type


@pytest.mark.parametrize(
    ("first", "size"),
    [
        ((b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 0x4000 | 640, 480)), (640, 480)),
        ((b"VP8X", b"\0" * 4 + (999).to_bytes(3, "little") + (0).to_bytes(3, "little")), (1000, 1)),
    ],
)
def test_other_forms_of_webp_have_sizes_too(first: tuple[bytes, bytes], size: tuple[int, int]) -> None:
    header = read_header(webp(first=first))
    assert (header.width, header.height) == size


def blanked(data: bytes, *removed: bytes) -> bytes:
    for text in removed:
        assert text in data
        data = data.replace(text, b" " * len(text))
    return data


@pytest.mark.parametrize("order", ["<", ">"])
def test_gps_directory_leaves_exif_and_the_rest_stays_in_its_place(order: str) -> None:
    before = exif(order=order)
    cleaned = check_image(jpeg(exif_segment(before), (0xFE, b"kept"))).data
    assert len(cleaned) == len(jpeg(exif_segment(before), (0xFE, b"kept")))
    tiff = cleaned[12 : 12 + len(before)]
    assert jpeg(exif_segment(tiff), (0xFE, b"kept")) == cleaned  # only the metadata differ
    without = exif(order=order, gps=False)
    assert struct.unpack_from(f"{order}H", tiff, 8) == (2,)
    assert tiff[10:34] == before[10:34]  # the other two entries, with the same offsets
    assert tiff[34:50] == bytes(16)
    rest = len(without) - 38
    assert tiff[50 : 50 + rest] == before[50 : 50 + rest]
    assert not any(tiff[50 + rest :])
    assert GPS_BYTES not in cleaned
    assert check_image(cleaned).data == cleaned


def test_entries_after_the_gps_pointer_move_up() -> None:
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in ((0x0100, 7), (0x8825, 50), (0x9999, 9))]
    tiff = b"II*\0" + struct.pack("<IH", 8, 3) + b"".join(entries) + bytes(4) + struct.pack("<H", 0) + bytes(10)
    cleaned = check_image(png((b"eXIf", tiff))).data
    at = cleaned.index(b"II*\0")
    assert cleaned[at + 8 : at + 8 + 26] == struct.pack("<H", 2) + entries[0] + entries[2]


LOCATED: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "xmp attribute in jpeg": (jpeg(xmp_segment(xmp(ATTRIBUTE))), lambda data: blanked(data, ATTRIBUTE)),
    "xmp element in jpeg": (jpeg(xmp_segment(xmp(b"", ELEMENT))), lambda data: blanked(data, ELEMENT)),
    "xmp in gif": (gif(gif_xmp(xmp(ATTRIBUTE, ELEMENT))), lambda data: blanked(data, ATTRIBUTE, ELEMENT)),
    "xmp in webp": (webp((b"XMP ", xmp(ATTRIBUTE))), lambda data: blanked(data, ATTRIBUTE)),
    "xmp in png": (
        png((b"iTXt", ITXT + xmp(ATTRIBUTE))),
        lambda _: png((b"iTXt", ITXT + blanked(xmp(ATTRIBUTE), ATTRIBUTE))),
    ),
    "compressed xmp in png": (
        png((b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp(ATTRIBUTE))), (b"tEXt", b"Kept\0yes")),
        lambda _: png((b"tEXt", b"Kept\0yes")),
    ),
    "raw profile in png": (
        png((b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n  200\n" + exif().hex().encode()))),
        lambda _: png(),
    ),
    "vendor's names": (
        jpeg(xmp_segment(xmp(b' drone-dji:GpsLatitude="+47.3"', b'<a:GPSArea x="1"/>'))),
        lambda data: blanked(data, b' drone-dji:GpsLatitude="+47.3"', b'<a:GPSArea x="1"/>'),
    ),
    "second image of a jpeg": (
        jpeg() + jpeg(xmp_segment(xmp(ATTRIBUTE))),
        lambda data: blanked(data, ATTRIBUTE),
    ),
    "xmp in utf-16": (
        jpeg(xmp_segment(xmp(ATTRIBUTE).decode().encode("utf-16-le"))),
        lambda _: jpeg(xmp_segment(b" " * len(xmp(ATTRIBUTE)) * 2)),
    ),
    "element without an end": (
        jpeg(xmp_segment(xmp(b"", b"<exif:GPSLatitude>47"))),
        lambda _: jpeg(xmp_segment(b" " * len(xmp(b"", b"<exif:GPSLatitude>47")))),
    ),
    "xmp in sub-blocks of a gif": (
        gif(b"\x21\xff\x0bXMP DataXMP" + bytes((len(ATTRIBUTE),)) + ATTRIBUTE + b"\0"),
        lambda _: gif(),
    ),
}


@pytest.mark.parametrize("name", LOCATED)
def test_location_is_removed_and_nothing_else(name: str) -> None:
    data, expected = LOCATED[name]
    cleaned = check_image(data).data
    assert cleaned == expected(data)
    assert check_image(cleaned).data is cleaned


def test_extended_xmp_is_removed_even_if_the_name_is_split_over_segments() -> None:
    head = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + bytes(8)
    text = xmp(ATTRIBUTE)
    middle = text.index(b"GPS") + 1
    segments = [(0xE1, head + text[:middle]), (0xE1, head + text[middle:])]
    cleaned = check_image(jpeg(*segments)).data
    assert cleaned == jpeg(*((marker, head + b" " * (len(body) - len(head))) for marker, body in segments))
    kept = jpeg((0xE1, head + PLAIN_XMP))
    assert check_image(kept).data is kept


def test_exif_that_cannot_be_followed_is_removed_as_a_whole() -> None:
    for tiff in (b"II+\0" + exif()[4:], b"\x25\x88", endless_directories()):
        data = png((b"eXIf", tiff))
        assert check_image(data).data == png((b"eXIf", bytes(len(tiff))))


def endless_directories() -> bytes:
    """Returns more directories than any camera writes, each pointing to the next."""
    size = 2 + 12 + 4
    directories = [struct.pack("<HHHIII", 1, 0x8825, 4, 1, 8, 8 + size * (number + 1)) for number in range(100)]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(directories) + bytes(2)


def test_directories_that_point_in_circles_are_followed_once() -> None:
    tiff = bytearray(exif())
    end = 8 + 2 + 36
    tiff[end : end + 4] = struct.pack("<I", 8)
    cleaned = check_image(png((b"eXIf", bytes(tiff)))).data
    assert GPS_BYTES not in cleaned
    assert b"Polyant Camera" in cleaned


REFUSED = {
    "nothing": (b"", "is of a type that isn't supported"),
    "text": (b"hello", "is of a type that isn't supported: send a PNG, JPEG, GIF or WebP image"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is of a type that isn't supported"),
    "bitmap": (b"BM" + bytes(60), "is of a type that isn't supported"),
    "no pixels": (png(size=(0, 2)), "has no pixels"),
    "bomb": (png(size=(2**31 - 1, 2**31 - 1)), "is too large: 2147483647 x 2147483647 pixels"),
    "too wide": (gif(size=(MAX_SIDE_PIXELS + 1, 1)), f"each side can have at most {MAX_SIDE_PIXELS}"),
    "png signature alone": (png()[:8], "is incomplete"),
    "png without its end": (png()[:-12], "is incomplete"),
    "png with another first chunk": (png()[:12] + b"IDAT" + png()[16:], "has a damaged header"),
    "png with a huge chunk": (png()[:33] + b"\xff\xff\xff\xffIDAT" + bytes(20), "is incomplete"),
    "jpeg without a frame": (b"\xff\xd8\xff\xd9", "has no frame"),
    "jpeg signature alone": (b"\xff\xd8\xff", "is incomplete"),
    "jpeg with a segment of no length": (b"\xff\xd8\xff\xe0\0\0" + bytes(9), "has a damaged header"),
    "jpeg with rubbish": (b"\xff\xd8\xff\xe0\0\x04abrubbish", "has a damaged header"),
    "jpeg with a short frame": (b"\xff\xd8\xff\xc0\0\x04\x08\0\xff\xd9", "has a damaged header"),
    "jpeg with many segments": (b"\xff\xd8" + b"\xff\xfe\0\x02" * 10_000, "is divided into too many blocks"),
    "gif signature alone": (b"GIF89a", "is incomplete"),
    "gif with rubbish": (gif()[:19] + b"\x77" + gif()[20:], "has a damaged header"),
    "gif with many blocks": (gif()[:19] + b"\x21\xfe" + b"\1x" * 600_000, "is divided into too many blocks"),
    "webp that is cut off": (webp()[:-1], "is incomplete"),
    "webp without a frame": (webp(first=(b"ICCP", b"xx")), "has no frame"),
    "webp with a damaged frame": (webp(first=(b"VP8 ", bytes(10))), "has a damaged header"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_image_that_cannot_be_used_is_refused_with_the_reason(name: str) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(InvalidImageError, match=reason):
        check_image(data)


@each_image
def test_every_truncation_ends_in_an_image_or_a_clear_error(data: bytes) -> None:
    for length in range(len(data)):
        checked(data[:length])


def checked(data: bytes) -> None:
    """Checks an image; everything but an InvalidImageError fails the test."""
    with contextlib.suppress(InvalidImageError):
        image = check_image(data)
        assert check_image(image.data).data == image.data


SEEDS = [*IMAGE_CASES.values(), *(data for data, _ in LOCATED.values()), jpeg(exif_segment(exif()))]


@given(
    st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 2_000), st.binary(min_size=1, max_size=4)), max_size=6)
)
def test_altered_images_end_in_an_image_or_a_clear_error(data: bytes, changes: list[tuple[int, bytes]]) -> None:
    altered = bytearray(data)
    for at, piece in changes:
        place = at % len(altered)
        altered[place : place + len(piece)] = piece
    checked(bytes(altered))


@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff", b"GIF89a", b"RIFF\x30\0\0\0WEBP"]), st.binary()
)
def test_rubbish_after_a_signature_ends_in_an_image_or_a_clear_error(signature: bytes, rest: bytes) -> None:
    checked(signature + rest)


MIB = 1024 * 1024
HOSTILE = {
    "fill bytes": jpeg(pixels=b"\xff" * MIB + b"\0"),
    "fill bytes in the header": b"\xff\xd8" + b"\xff" * MIB + b"\0",
    "many embedded images": jpeg() + b"\xff\xd8\xff" * (MIB // 3),
    "small chunks": png(*[(b"teSt", b"")] * 60_000),
    "compressed text": png(
        *[(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(MIB)))] * 200,
    ),
    "open elements": png((b"iTXt", ITXT + b"<a:gps>" * (MIB // 7))),
    "open attributes": png((b"iTXt", ITXT + b" a:gps='" * (MIB // 8) + b"<gps ")),
    "long names": png((b"iTXt", ITXT + b" " + b"a" * MIB + b":gps" + b"b" * MIB)),
    "spaces": png((b"iTXt", ITXT + b" gps" + b" " * MIB)),
    "overlapping values": png(
        (
            b"eXIf",
            b"II*\0"
            + struct.pack("<IHHHIIIH", 8, 1, 0x8825, 4, 1, 26, 0, 60_000)
            + struct.pack("<HHII", 2, 5, 10**6, 30) * 60_000,
        )
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_images_take_time_in_proportion_to_their_size(name: str) -> None:
    began = time.process_time()
    checked(HOSTILE[name])
    assert time.process_time() - began < seconds(20)  # quadratic time would take minutes
