"""A validated HTTP request, and the request that follows a redirect."""

import dataclasses
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self

import msgspec
from yarl import URL

from polyant.domain.tools import ToolError

_MAX_BODY_CHARACTERS = 256 * 1024
_SCHEMES = frozenset({"http", "https"})
_HOST = re.compile(r"\A([a-z0-9._-]+|[0-9a-f:.]+)\Z")
_ENCODED = re.compile(r"\A([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*\Z")
_INVALID = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
_HEADER_NAME = re.compile(r"\A[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}\Z")
_HEADER_VALUE = re.compile(r"\A[\t\x20-\x7e]{0,8192}\Z")
_AUTOMATIC_HEADERS = frozenset(
    [
        *("accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    ]
)
_BODILESS_METHODS = frozenset({"GET", "HEAD"})
_CROSS_ORIGIN_HEADERS = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""Headers without secrets, which are kept when a redirect leads to another origin."""


class HttpRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One HTTP request."""

    url: Annotated[
        str,
        msgspec.Meta(description="Absolute URL, http or https, with its query string.", min_length=1, max_length=8_192),
    ]
    method: Annotated[
        Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], msgspec.Meta(description="HTTP method.")
    ] = "GET"
    headers: Annotated[
        dict[str, str], msgspec.Meta(description="Request headers, e.g. Accept or Authorization.", max_length=32)
    ] = {}
    json: Annotated[
        dict[str, Any] | list[Any] | None,
        msgspec.Meta(description="JSON body, sent as application/json. Not together with text."),
    ] = None
    text: Annotated[
        Annotated[str, msgspec.Meta(max_length=_MAX_BODY_CHARACTERS)] | None,
        msgspec.Meta(description="Any other body, sent as text/plain unless headers name a Content-Type."),
    ] = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HttpCall:
    """A validated request; without a repr, because its headers may contain a secret."""

    method: str
    url: URL
    headers: Mapping[str, str]
    """By lowercase name."""
    body: bytes | None

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """Returns the validated request of a model.

        Raises:
            ToolError: The request is invalid; the message says why.
        """
        headers = dict(_checked_header(name.lower(), value) for name, value in request.headers.items())
        body = _body(request)
        if body is not None:
            headers.setdefault(
                "content-type", "text/plain; charset=utf-8" if request.json is None else "application/json"
            )
        return cls(method=request.method, url=_checked_url(request.url), headers=headers, body=body)

    def redirected(self, status: int, location: str) -> Self:
        """Returns the request that follows a redirect; method and body change as in RFC 9110 (15.4) and browsers.

        Args:
            status: The status of the redirect.
            location: The value of its `Location` header.

        Raises:
            ToolError: The redirect's URL isn't allowed.
        """
        try:
            url = _checked_url(str(self.url.join(URL(location, encoded=bool(_ENCODED.match(location))))))
        except (ToolError, ValueError) as error:
            reason = error if isinstance(error, ToolError) else "it is invalid"
            raise ToolError(f"{self.url.host} redirects to a URL that can't be called: {reason}") from None
        headers, method, body = dict(self.headers), self.method, self.body
        if _becomes_get(status, method):
            method, body = "GET", None
            headers = {name: value for name, value in headers.items() if not name.startswith("content-")}
        if url.origin() != self.url.origin():
            headers = {name: value for name, value in headers.items() if name in _CROSS_ORIGIN_HEADERS}
        return dataclasses.replace(self, method=method, url=url, headers=headers, body=body)


def _becomes_get(status: int, method: str) -> bool:
    if status == HTTPStatus.SEE_OTHER:
        return method != "HEAD"
    return status in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND} and method == "POST"


def _checked_url(text: str) -> URL:
    if _INVALID.search(text):
        raise ToolError("A URL must not contain spaces, control characters or backslashes: percent-encode them")
    try:
        url = _unnormalized(text)
    except ValueError:
        raise ToolError("This isn't a URL: write it like https://example.com/path?query") from None
    if url.scheme not in _SCHEMES:
        raise ToolError("Only absolute URLs that start with http:// or https:// can be called")
    if url.user is not None or url.password is not None:
        raise ToolError("A URL must not contain a user name or password: use an Authorization header")
    if not _HOST.match(url.raw_host or ""):
        raise ToolError("The URL has no valid host")
    return url.with_fragment(None)


def _unnormalized(text: str) -> URL:
    """Returns the URL; path and query stay unchanged if they need no encoding, because a signature may cover them."""
    url = URL(text)
    if not url.absolute or not _ENCODED.match(text):
        return url
    written = URL(text, encoded=True)
    path, query = written.raw_path, written.raw_query_string
    return URL.build(scheme=url.scheme, authority=url.raw_authority, path=path, query_string=query, encoded=True)


def _checked_header(name: str, value: str) -> tuple[str, str]:
    if name in _AUTOMATIC_HEADERS or name.startswith("proxy-"):
        raise ToolError(f"Leave out the header {name}: it is set automatically")
    if not _HEADER_NAME.match(name) or not _HEADER_VALUE.match(value):
        raise ToolError("A header needs a name without spaces and a value of printable ASCII on one line")
    return name, value


def _body(request: HttpRequest) -> bytes | None:
    if request.json is None and request.text is None:
        return None
    if request.method in _BODILESS_METHODS:
        raise ToolError(f"{request.method} has no body: put parameters into the URL's query string, or use POST")
    if request.json is not None and request.text is not None:
        raise ToolError("Give either json or text as the body, not both")
    return msgspec.json.encode(request.json) if request.text is None else request.text.encode()
