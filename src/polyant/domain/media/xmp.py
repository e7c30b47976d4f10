"""Removes locations from XMP metadata by overwriting them with spaces, so that nothing else moves."""

import re

_MENTION = re.compile(rb"[:<]gps|\sgps[\w.\-:]*\s*=", re.IGNORECASE)
_NAME = rb"(?:[\w.\-]+:)?gps[\w.\-:]*"
_ATTRIBUTE = re.compile(rb"\s(?!xmlns:)" + _NAME + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_ELEMENT = re.compile(rb"<(" + _NAME + rb")(?=[\s/>])", re.IGNORECASE)


def mentions_location(packet: bytes) -> bool:
    """Returns whether the metadata name a property for a location, in UTF-8 or UTF-16."""
    return _MENTION.search(packet.replace(b"\0", b"") if b"\0" in packet else packet) is not None


def without_xmp_location(packet: bytes) -> bytes:
    """Returns the packet with spaces in place of all properties whose name begins with `GPS`.

    A packet that names such a property, but isn't well-formed XML in UTF-8, is replaced by spaces as a whole.
    """
    if not mentions_location(packet):
        return packet
    if b"\0" in packet:
        return _spaces(packet)
    return _without_elements(_ATTRIBUTE.sub(lambda found: b" " * len(found[0]), packet))


def _without_elements(packet: bytes) -> bytes:
    kept = bytearray(packet)
    at = 0
    while found := _ELEMENT.search(packet, at):
        end = _end_of_element(packet, found)
        if end is None:
            return _spaces(packet)
        kept[found.start() : end] = b" " * (end - found.start())
        at = end
    return bytes(kept)


def _end_of_element(packet: bytes, opening: re.Match[bytes]) -> int | None:
    """Returns the position after the element; None if it has no end."""
    tag_end = packet.find(b">", opening.end())
    if tag_end < 0:
        return None
    if packet[tag_end - 1 : tag_end] == b"/":
        return tag_end + 1
    closing = packet.find(b"</" + opening[1], tag_end)
    end = packet.find(b">", closing) if closing >= 0 else -1
    return end + 1 if end >= 0 else None


def _spaces(packet: bytes) -> bytes:
    return b" " * len(packet)
