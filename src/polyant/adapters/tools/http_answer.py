"""What comes back from a server, and how a model is told of it."""

import codecs
import dataclasses
import re
import zlib
from collections.abc import Mapping
from http.client import responses

from polyant.domain.tools import MAX_RESULT_BYTES, ToolError

MAX_BODY_BYTES = MAX_RESULT_BYTES - 8 * 1024
"""As much as fits into a tool's result below the status and the headers."""

_SHOWN_HEADERS = (
    *("Content-Type", "Content-Length", "Location", "Retry-After", "Link", "ETag", "Last-Modified", "Allow"),
    "WWW-Authenticate",
)
_SHOWN_CHARACTERS = 500
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})
_TEXT = re.compile(r"\Atext/|[/+](json|xml|javascript|yaml|x-yaml|toml|x-ndjson|x-www-form-urlencoded)\Z")
# Not each codec that Python has: some of them cost quadratic time, or give what is no valid text.
_CHARSET = re.compile(
    r"\A(ascii|utf-8|utf-16(-[lb]e)?|iso8859-\d+|cp125\d|cp932|koi8-[ru]"
    r"|shift_jis|euc_jp|euc_kr|gb2312|gbk|gb18030|big5)\Z"
)
_LABEL = re.compile(r"\A[A-Za-z0-9_-]{1,32}\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """A response whose body was read, up to `MAX_BODY_BYTES`."""

    status: int
    url: str
    headers: Mapping[str, str]
    """By name, upper and lower case being the same."""
    content_type: str
    charset: str | None
    body: bytes
    cut: bool = False
    """Whether the body goes on."""


def describe(answer: HttpAnswer) -> str:
    """Returns status, address, some headers and the body as text; of a body that is no text, its type and size.

    Raises:
        ToolError: The body can't be unpacked.
    """
    body = _unpacked(answer)
    lines = [f"Status: {answer.status} {responses.get(answer.status, '')}".rstrip(), f"URL: {_shown(answer.url)}"]
    lines += [f"{name}: {_shown(answer.headers[name])}" for name in _SHOWN_HEADERS if name in answer.headers]
    if body.cut:
        lines.append(f"Note: the body is longer; these are its first {MAX_BODY_BYTES} bytes")
    return "\n".join([*lines, "", _shown_body(body)])


def _shown_body(answer: HttpAnswer) -> str:
    if not answer.body:
        return "[no body]"
    text = _text(answer)
    if text is None:
        size = f"{'more than ' if answer.cut else ''}{len(answer.body)} bytes"
        return f"[a body that is no text: {_shown(answer.content_type)}, {size}]"
    return text


def _text(answer: HttpAnswer) -> str | None:
    declared = answer.charset is not None or bool(_TEXT.search(answer.content_type))
    decoder = codecs.getincrementaldecoder(_charset(answer))("replace" if declared else "strict")
    try:
        text = decoder.decode(answer.body, final=not answer.cut)
    except UnicodeDecodeError:
        return None
    if declared:
        return text.removeprefix("\ufeff").replace("\0", "\ufffd")
    return None if "\0" in text else text


def _charset(answer: HttpAnswer) -> str:
    if answer.charset is not None and _LABEL.match(answer.charset):
        try:
            name = codecs.lookup(answer.charset).name
        except LookupError:
            return "utf-8"
        if name == "utf-16" and not answer.body.startswith(codecs.BOM_UTF16_BE):
            return "utf-16-le"  # what a missing byte order mark means on the web
        if _CHARSET.match(name):
            return name
    return "utf-8"


def _unpacked(answer: HttpAnswer) -> HttpAnswer:
    """Unpacks what a server compressed although it was asked not to, and no more of it than is shown."""
    coding = answer.headers.get("Content-Encoding", "").strip().lower()
    if not answer.body or coding in {"", "identity"}:
        return answer
    if coding not in _COMPRESSED:
        raise ToolError("The server's answer is compressed in a way that can't be unpacked")
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, whichever it is
    try:
        body = unpacking.decompress(answer.body, MAX_BODY_BYTES)
    except zlib.error:
        raise ToolError("The server's answer is compressed and damaged") from None
    return dataclasses.replace(answer, body=body, cut=answer.cut or bool(unpacking.unconsumed_tail))


def _shown(value: str) -> str:
    """Returns a server's words cut short and without what isn't valid text."""
    return value[:_SHOWN_CHARACTERS].encode("utf-8", "replace").decode()
