"""Master keys: reading one, and deriving keys for one purpose each."""

import re

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from polyant.domain.errors import InvalidInputError
from polyant.domain.secrets import SecretText

_HEX = re.compile(r"\A[0-9a-fA-F]{64}\Z")


def parse_master_key(text: SecretText) -> bytes:
    """Returns the 32 bytes that the text means.

    Raises:
        InvalidInputError: It isn't 64 hex digits; the message doesn't show it.
    """
    if not _HEX.match(text.reveal()):
        raise InvalidInputError("An encryption key must be 64 hex digits (0-9, a-f)")
    return bytes.fromhex(text.reveal())


def derive(master: bytes, purpose: str, length: int) -> bytes:
    """Returns bytes for one purpose, from which neither the master key nor those for another purpose can be told."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=f"polyant {purpose}".encode()).derive(master)
