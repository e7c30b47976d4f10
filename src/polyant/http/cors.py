"""CORS for /v1: decides which web pages may call it, always without credentials."""

from collections.abc import Mapping

Headers = list[tuple[bytes, bytes]]

_PREFIX = "/v1/"
_EXPOSED = b"retry-after, x-request-id, x-polyant-ignored, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
_SECONDS_TO_REMEMBER = b"600"


class Cors:
    """Creates CORS headers for the allowed origins.

    Args:
        origins: The allowed origins, such as `https://app.example`; `*` allows all.
    """

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origin.lower().rstrip("/").encode() for origin in origins)

    def preflight(self, path: str, headers: Mapping[bytes, bytes]) -> Headers | None:
        """Returns the response headers of a preflight, or None if the request is none or its origin isn't allowed."""
        allowed = self._allowed(path, headers)
        if allowed is None or b"access-control-request-method" not in headers:
            return None
        return [
            (b"access-control-allow-methods", b"GET, HEAD, POST"),
            (
                b"access-control-allow-headers",
                headers.get(b"access-control-request-headers", b"authorization, content-type"),
            ),
            (b"access-control-max-age", _SECONDS_TO_REMEMBER),
        ]

    def headers(self, path: str, headers: Mapping[bytes, bytes]) -> Headers:
        """Returns the headers that let the requesting page read the response."""
        if not self._origins or not path.startswith(_PREFIX):
            return []
        vary = (b"vary", b"Origin")
        allowed = self._allowed(path, headers)
        if allowed is None:
            return [vary]
        return [vary, (b"access-control-allow-origin", allowed), (b"access-control-expose-headers", _EXPOSED)]

    def _allowed(self, path: str, headers: Mapping[bytes, bytes]) -> bytes | None:
        origin = headers.get(b"origin")
        if origin is None or not path.startswith(_PREFIX):
            return None
        if b"*" in self._origins:
            return b"*"
        return origin if origin.lower() in self._origins else None
