"""Small images of every accepted type, with and without a location."""

import struct
import zlib

GPS_BYTES = b"47deg22m"
"""The value of the latitude in `exif`, which must not survive."""


def png(*chunks: tuple[bytes, bytes], size: tuple[int, int] = (3, 2)) -> bytes:
    """Returns a valid PNG with further chunks between its header and its pixels."""
    width, height = size
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x40\x80\xc0" * 3) * 2)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def jpeg(*segments: tuple[int, bytes], size: tuple[int, int] = (3, 2), pixels: bytes = b"\x12\xff\x00\x34") -> bytes:
    """Returns a JPEG with further segments before its frame; its pixels mean nothing."""
    width, height = size
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    parts = [*segments, (0xC0, frame), (0xDA, b"\x01\x01\x00\x00\x3f\x00")]
    head = b"".join(b"\xff" + bytes((marker,)) + struct.pack(">H", len(body) + 2) + body for marker, body in parts)
    return b"\xff\xd8" + head + pixels + b"\xff\xd9"


def exif_segment(tiff: bytes) -> tuple[int, bytes]:
    return 0xE1, b"Exif\0\0" + tiff


def xmp_segment(packet: bytes) -> tuple[int, bytes]:
    return 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet


def gif(*extensions: bytes, size: tuple[int, int] = (3, 2)) -> bytes:
    """Returns a GIF with a color table and one frame."""
    width, height = size
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02" + b"\x03\x84\x11\x05" + b"\0"
    return b"GIF89a" + screen + b"".join(extensions) + frame + b"\x3b"


def gif_xmp(packet: bytes) -> bytes:
    """Returns an extension with XMP in the form that Adobe specifies."""
    return b"\x21\xff\x0bXMP DataXMP" + packet + bytes((1, *range(255, -1, -1), 0))


def webp(*chunks: tuple[bytes, bytes], first: tuple[bytes, bytes] | None = None) -> bytes:
    """Returns a WebP of 3 x 2 pixels."""
    lossless = b"VP8L", b"\x2f" + struct.pack("<I", 2 | 1 << 14) + b"\0" * 5
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in (first or lossless, *chunks)
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def exif(*, order: str = "<", gps: bool = True, make: bytes = b"Polyant Camera\0") -> bytes:
    """Returns a TIFF structure with a manufacturer, a sub-directory and, with `gps`, a location."""
    main_count = 3 if gps else 2
    main_end = 8 + 2 + 12 * main_count + 4
    make_at = main_end
    sub_at = make_at + len(make) + len(make) % 2
    gps_at = sub_at + 2 + 12 + 4
    value_at = gps_at + 2 + 24 + 4
    entries = [
        _entry(order, 0x010F, 2, len(make), make_at),
        _entry(order, 0x8769, 4, 1, sub_at),
        *([_entry(order, 0x8825, 4, 1, gps_at)] if gps else []),
    ]
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    main = struct.pack(f"{order}H", main_count) + b"".join(entries) + bytes(4)
    sub = struct.pack(f"{order}H", 1) + _entry(order, 0x9000, 7, 4, 0x30323330) + bytes(4)
    location = (
        struct.pack(f"{order}H", 2)
        + _entry(order, 0x0001, 2, 2, 0x4E000000 if order == ">" else 0x4E)
        + _entry(order, 0x0002, 5, 1, value_at)
        + bytes(4)
        + GPS_BYTES
    )
    return header + main + make + b"\0" * (len(make) % 2) + sub + (location if gps else b"")


def _entry(order: str, tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack(f"{order}HHII", tag, kind, count, value)


XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:exif="http://ns.adobe.com/exif/1.0/" dc:title="A map of gps receivers"%b>%b</rdf:Description></rdf:RDF>'
    b'</x:xmpmeta><?xpacket end="w"?>'
)


def xmp(attributes: bytes = b"", elements: bytes = b"") -> bytes:
    return XMP % (attributes, elements)


ATTRIBUTE = b' exif:GPSLatitude="47,22.6N"'
ELEMENT = b"<exif:GPSLongitude>8,32.5E</exif:GPSLongitude>"

_PLAIN_XMP = xmp(b' exif:Make="X"', b"<dc:creator>Ada</dc:creator>")
ITXT = b"XML:com.adobe.xmp\0\0\0\0\0"
IMAGE_CASES = {
    "png": png(),
    "png with metadata": png((b"eXIf", exif(gps=False)), (b"iTXt", ITXT + _PLAIN_XMP), (b"tEXt", b"Title\0gps:x=1")),
    "jpeg": jpeg(),
    "jpeg with metadata": jpeg(exif_segment(exif(gps=False, order=">")), xmp_segment(_PLAIN_XMP), (0xFE, b"comment")),
    "jpeg without its end": jpeg()[:-2],
    "jpeg with two images": jpeg() + jpeg(exif_segment(exif(gps=False))),
    "gif": gif(),
    "gif with metadata": gif(gif_xmp(_PLAIN_XMP), b"\x21\xfe\x03abc\0"),
    "webp": webp(),
    "webp with metadata": webp((b"EXIF", exif(gps=False)), (b"XMP ", _PLAIN_XMP)),
}
"""Valid images without a location; each name begins with the type."""
