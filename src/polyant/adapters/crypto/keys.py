"""Parses master keys and derives a separate key for each purpose."""

import re

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from polyant.domain.errors import InvalidInputError
from polyant.domain.secrets import SecretText

_HEX = re.compile(r"\A[0-9a-fA-F]{64}\Z")


def parse_master_key(text: SecretText) -> bytes:
    """Returns the 32 bytes of a master key.

    Raises:
        InvalidInputError: The text isn't 64 hex digits; the message doesn't contain it.
    """
    if not _HEX.match(text.reveal()):
        raise InvalidInputError("An encryption key must be 64 hex digits (0-9, a-f)")
    return bytes.fromhex(text.reveal())


def derive(master: bytes, purpose: str, length: int) -> bytes:
    """Returns key material for one purpose; it reveals neither the master key nor the keys for other purposes."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=f"polyant {purpose}".encode()).derive(master)
