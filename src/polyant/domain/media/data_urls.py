"""Data URLs, which contain a file as text."""

import binascii
from urllib.parse import unquote_to_bytes

from polyant.domain.errors import InvalidInputError


def is_data_url(url: str) -> bool:
    """Returns whether the URL contains its content."""
    return url[:5].lower() == "data:"


def parse_data_url(url: str) -> bytes:
    """Returns the content of a Base64 data URL; its declared type is ignored, because only the content proves it.

    Raises:
        InvalidInputError: The URL isn't valid Base64.
    """
    declared, comma, encoded = url.partition(",")
    if not comma or not declared.lower().endswith(";base64"):
        raise InvalidInputError("A data URL must have the form data:image/png;base64,...")
    text = unquote_to_bytes(encoded) if "%" in encoded else encoded.encode("utf-8", "replace")
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        raise InvalidInputError("The data URL is not valid Base64") from None
