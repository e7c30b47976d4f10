"""What may be sent: a checked URL, checked headers, a body; and what becomes of them at a redirect."""

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
_UNFIT = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
_HEADER_NAME = re.compile(r"\A[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}\Z")
_HEADER_VALUE = re.compile(r"\A[\t\x20-\x7e]{0,8192}\Z")
_SET_BY_US = frozenset(
    [
        *("accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    ]
)
_WITHOUT_BODY = frozenset({"GET", "HEAD"})
_TO_ANY_ORIGIN = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""The headers that hold no secret."""


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
    """A request that keeps all rules and may be sent; without a repr, because its headers may hold a secret."""

    method: str
    url: URL
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes | None

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """Returns the call that a model asks for.

        Raises:
            ToolError: It breaks a rule; the message says which.
        """
        headers = dict(_checked_header(name.lower(), value) for name, value in request.headers.items())
        body = _body(request)
        if body is not None:
            headers.setdefault(
                "content-type", "text/plain; charset=utf-8" if request.json is None else "application/json"
            )
        return cls(method=request.method, url=_checked_url(request.url), headers=headers, body=body)

    def redirected(self, status: int, location: str) -> Self:
        """Returns the call that a redirect leads to: method and body as RFC 9110 (15.4) and browsers have it.

        Raises:
            ToolError: It leads to where nothing is sent.
        """
        try:
            url = _checked_url(str(self.url.join(URL(location, encoded=bool(_ENCODED.match(location))))))
        except (ToolError, ValueError) as error:
            reason = error if isinstance(error, ToolError) else "it isn't one"
            raise ToolError(f"{self.url.host} redirects to a URL that isn't called: {reason}") from None
        headers, method, body = dict(self.headers), self.method, self.body
        if _becomes_get(status, method):
            method, body = "GET", None
            headers = {name: value for name, value in headers.items() if not name.startswith("content-")}
        if url.origin() != self.url.origin():
            headers = {name: value for name, value in headers.items() if name in _TO_ANY_ORIGIN}
        return dataclasses.replace(self, method=method, url=url, headers=headers, body=body)


def _becomes_get(status: int, method: str) -> bool:
    if status == HTTPStatus.SEE_OTHER:
        return method != "HEAD"
    return status in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND} and method == "POST"


def _checked_url(text: str) -> URL:
    if _UNFIT.search(text):
        raise ToolError("A URL has no spaces, control characters or backslashes: percent-encode them")
    try:
        url = _as_written(text)
    except ValueError:
        raise ToolError("This isn't a URL: it is written like https://example.com/path?query") from None
    if url.scheme not in _SCHEMES:
        raise ToolError("Only absolute URLs that start with http:// or https:// can be called")
    if url.user is not None or url.password is not None:
        raise ToolError("A URL with a user name or password isn't called: put credentials into an Authorization header")
    if not _HOST.match(url.raw_host or ""):
        raise ToolError("The URL names no host that can be called")
    return url.with_fragment(None)


def _as_written(text: str) -> URL:
    """Returns the URL with path and query to the letter if they need no encoding: a signature may cover them."""
    url = URL(text)
    if not url.absolute or not _ENCODED.match(text):
        return url
    written = URL(text, encoded=True)
    path, query = written.raw_path, written.raw_query_string
    return URL.build(scheme=url.scheme, authority=url.raw_authority, path=path, query_string=query, encoded=True)


def _checked_header(name: str, value: str) -> tuple[str, str]:
    if name in _SET_BY_US or name.startswith("proxy-"):
        raise ToolError(f"Leave out the header {name}: it is set by itself")
    if not _HEADER_NAME.match(name) or not _HEADER_VALUE.match(value):
        raise ToolError("A header has a name without spaces and a value in printable ASCII on one line")
    return name, value


def _body(request: HttpRequest) -> bytes | None:
    if request.json is None and request.text is None:
        return None
    if request.method in _WITHOUT_BODY:
        raise ToolError(f"{request.method} has no body: put parameters into the URL's query string, or use POST")
    if request.json is not None and request.text is not None:
        raise ToolError("Give either json or text as the body, not both")
    return msgspec.json.encode(request.json) if request.text is None else request.text.encode()
