"""Fingerprints that can be computed from a secret without a secret key."""

import hashlib
import hmac
import zlib
from base64 import b32encode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator

from polyant.domain.secrets import SecretText

_SEPARATORS = (b"", b":", b".", b"|", b"/", b"-", b" ", b"\n", b"\0")
_ALGORITHMS = sorted(name for name in hashlib.algorithms_guaranteed if not name.startswith("shake"))
_ENCODINGS: tuple[Callable[[bytes], str], ...] = (
    bytes.hex,
    lambda digest: digest.hex().upper(),
    lambda digest: b64encode(digest).decode(),
    lambda digest: urlsafe_b64encode(digest).decode(),
    lambda digest: b32encode(digest).decode(),
    lambda digest: b32encode(digest).decode().lower(),
)


def guessed_fingerprints(secret: SecretText, public: Iterable[str]) -> Iterator[str]:
    """Yields the fingerprints that someone who knows the secret and the public values would try.

    Args:
        secret: The secret.
        public: Values that aren't secret, such as the id of the key. They serve as salt, pepper or key.
    """
    message = secret.reveal().encode()
    yield f"{zlib.crc32(message):08x}"
    for value in public:
        for digest in _digests(message, value.encode()):
            yield from (encode(digest) for encode in _ENCODINGS)


def _digests(message: bytes, value: bytes) -> Iterator[bytes]:
    for name in _ALGORITHMS:
        yield hmac.digest(value, message, name)
        yield hmac.digest(message, value, name)
        for separator in _SEPARATORS:
            yield hashlib.new(name, value + separator + message, usedforsecurity=False).digest()
            yield hashlib.new(name, message + separator + value, usedforsecurity=False).digest()
