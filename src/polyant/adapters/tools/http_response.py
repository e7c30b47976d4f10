"""An HTTP response, and its text for a model."""

import codecs
import dataclasses
import re
import zlib
from collections.abc import Mapping
from http.client import responses

from polyant.domain.tools import MAX_RESULT_BYTES, ToolError

MAX_BODY_BYTES = MAX_RESULT_BYTES - 8 * 1024
"""The space in a tool's result after the status and the headers."""

_SHOWN_HEADERS = (
    *("Content-Type", "Content-Length", "Location", "Retry-After", "Link", "ETag", "Last-Modified", "Allow"),
    "WWW-Authenticate",
)
_MAX_VALUE_CHARACTERS = 500
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})
_TEXT = re.compile(r"\Atext/|[/+](json|xml|javascript|yaml|x-yaml|toml|x-ndjson|x-www-form-urlencoded)\Z")
# Only some of Python's codecs: others need quadratic time, or produce invalid text.
_CHARSET = re.compile(
    r"\A(ascii|utf-8|utf-16(-[lb]e)?|iso8859-\d+|cp125\d|cp932|koi8-[ru]"
    r"|shift_jis|euc_jp|euc_kr|gb2312|gbk|gb18030|big5)\Z"
)
_CHARSET_LABEL = re.compile(r"\A[A-Za-z0-9_-]{1,32}\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A response with its body, truncated to `MAX_BODY_BYTES`."""

    status: int
    url: str
    headers: Mapping[str, str]
    """By name, case-insensitive."""
    content_type: str
    charset: str | None
    body: bytes
    truncated: bool = False
    """Whether the body is truncated."""


def describe(response: HttpResponse) -> str:
    """Returns the status, the URL, some headers and the body as text; a binary body is described by type and size.

    Raises:
        ToolError: The body can't be decompressed.
    """
    body = _decompressed(response)
    lines = [
        f"Status: {response.status} {responses.get(response.status, '')}".rstrip(),
        f"URL: {_printable(response.url)}",
    ]
    lines += [f"{name}: {_printable(response.headers[name])}" for name in _SHOWN_HEADERS if name in response.headers]
    if body.truncated:
        lines.append(f"Note: the body is truncated to its first {MAX_BODY_BYTES} bytes")
    return "\n".join([*lines, "", _body_text(body)])


def _body_text(response: HttpResponse) -> str:
    if not response.body:
        return "[no body]"
    text = _decoded(response)
    if text is None:
        size = f"{'more than ' if response.truncated else ''}{len(response.body)} bytes"
        return f"[binary body: {_printable(response.content_type)}, {size}]"
    return text


def _decoded(response: HttpResponse) -> str | None:
    declared = response.charset is not None or bool(_TEXT.search(response.content_type))
    decoder = codecs.getincrementaldecoder(_charset(response))("replace" if declared else "strict")
    try:
        text = decoder.decode(response.body, final=not response.truncated)
    except UnicodeDecodeError:
        return None
    if declared:
        return text.removeprefix("\ufeff").replace("\0", "\ufffd")
    return None if "\0" in text else text


def _charset(response: HttpResponse) -> str:
    if response.charset is not None and _CHARSET_LABEL.match(response.charset):
        try:
            name = codecs.lookup(response.charset).name
        except LookupError:
            return "utf-8"
        if name == "utf-16" and not response.body.startswith(codecs.BOM_UTF16_BE):
            return "utf-16-le"  # the default without a byte order mark (WHATWG Encoding)
        if _CHARSET.match(name):
            return name
    return "utf-8"


def _decompressed(response: HttpResponse) -> HttpResponse:
    """Decompresses a body that was compressed against the request, up to `MAX_BODY_BYTES`."""
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if not response.body or coding in {"", "identity"}:
        return response
    if coding not in _COMPRESSED:
        raise ToolError(f"The server's response has the unsupported Content-Encoding '{_printable(coding)}'")
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)  # detects gzip or zlib
    try:
        body = decompressor.decompress(response.body, MAX_BODY_BYTES)
    except zlib.error:
        raise ToolError("The server's compressed response is damaged") from None
    return dataclasses.replace(response, body=body, truncated=response.truncated or bool(decompressor.unconsumed_tail))


def _printable(value: str) -> str:
    """Returns a header value, truncated and with invalid characters replaced."""
    return value[:_MAX_VALUE_CHARACTERS].encode("utf-8", "replace").decode()
