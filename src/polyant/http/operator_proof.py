"""Proves that a request comes from an operator, who knows AUTH_SECRET; `polyant doctor` sends it."""

import hmac

from polyant.domain.digits import parse_digits
from polyant.domain.secrets import SecretText

HEADER = "x-polyant-proof"

_PURPOSE = "polyant operator proof"
_MAX_AGE_SECONDS = 300
"""The difference between the clocks of the operator's machine and the server that is tolerated."""


class OperatorProof:
    """Creates and verifies proofs: a time and its code, which only the holder of the secret can compute.

    Args:
        secret: The secret that signs sessions.
    """

    def __init__(self, secret: SecretText) -> None:
        self._secret = secret

    def create(self, now: float) -> str:
        """Returns a proof that is valid for five minutes; `now` is in seconds since 1970."""
        return f"{int(now)}.{self._code_of(str(int(now)))}"

    def is_valid(self, proof: str, now: float) -> bool:
        """Returns whether the secret created the proof, and at most five minutes ago."""
        moment, _, code = proof.partition(".")
        created = parse_digits(moment, at_most=len(str(int(now))))
        if created is None:
            return False
        is_recent = abs(now - created) <= _MAX_AGE_SECONDS
        return is_recent and hmac.compare_digest(self._code_of(moment).encode(), code.encode("utf-8", "replace"))

    def _code_of(self, moment: str) -> str:
        return hmac.digest(self._secret.reveal().encode(), f"{_PURPOSE}:{moment}".encode(), "sha256").hex()
