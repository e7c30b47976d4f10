"""Splitting a Markdown text into messages, without breaking its formatting."""

import re
import unicodedata
from collections.abc import Iterator

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)
_SPAN = re.compile(r"(\*{1,3}|_{1,3}|~~|`+)(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_LINK = re.compile(r"!?\[[^\]\n]*\]\([^)\n]*\)")
_MAX_INFO_CHARACTERS = 40
_RESERVE = 64
"""The length that is kept free for closing and opening what a cut interrupts."""
_JOINERS = frozenset("\u200d\ufe0f\u20e3")


def split_text(text: str, *, maximum: int, utf16: bool = False) -> tuple[str, ...]:
    """Returns the pieces of a text, none longer than `maximum`; no piece for a blank text.

    Cuts are at ends of paragraphs, lines or words where possible. A code block or an emphasis that continues in the
    next piece is closed and opened again.

    Args:
        text: Markdown.
        maximum: The largest length of a piece; at least 200.
        utf16: Whether lengths are counted in UTF-16 units instead of characters.
    """
    return tuple(piece for piece in _pieces(text.strip("\n"), maximum, utf16=utf16) if piece.strip())


def _pieces(text: str, maximum: int, *, utf16: bool) -> Iterator[str]:
    rest = text
    while _length(rest, utf16=utf16) > maximum:
        window = _prefix(rest, maximum - _RESERVE, utf16=utf16)
        opener = _open_fence(window)
        cut = _cut_in_code(window) if opener is not None else _cut(window, rest)
        head, rest = rest[:cut], rest[cut:]
        opener = _open_fence(head)
        if opener is None:
            closing, opening = _interrupted_spans(head, rest)
            yield head.rstrip() + closing
            rest = opening + rest.lstrip()
        else:
            fence, info = opener
            yield f"{head.rstrip(chr(10))}\n{fence}"
            rest = f"{fence}{info}\n{rest.removeprefix(chr(10))}"
    yield rest


def _length(text: str, *, utf16: bool) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 if utf16 else len(text)


def _prefix(text: str, maximum: int, *, utf16: bool) -> str:
    """Returns the longest beginning of the text that isn't longer, without splitting a character from its marks."""
    prefix = text[:maximum]
    if utf16:
        prefix = prefix.encode("utf-16-le", "surrogatepass")[: 2 * maximum].decode("utf-16-le", "ignore")
    end = len(prefix)
    while end > 1 and end < len(text) and _continues(text, end):
        end -= 1
    return text[:end] if end > 1 else prefix


def _continues(text: str, end: int) -> bool:
    following = text[end]
    return following in _JOINERS or bool(unicodedata.combining(following)) or text[end - 1] == "\u200d"


def _open_fence(text: str) -> tuple[str, str] | None:
    """Returns the fence and the language of the code block that is open at the end of the text."""
    opened: tuple[str, str] | None = None
    for found in _FENCE.finditer(text):
        fence, info = found[1], found[2].strip()
        if opened is None:
            opened = fence, info[:_MAX_INFO_CHARACTERS]
        elif fence[0] == opened[0][0] and len(fence) >= len(opened[0]) and not info:
            opened = None
    if opened is None:
        return None
    return opened[0][:3], opened[1]


def _cut_in_code(window: str) -> int:
    found = window.rfind("\n", len(window) // 2)
    return found + 1 if found > 0 else len(window)


def _cut(window: str, text: str) -> int:
    """Returns the position to cut the window at, which is the beginning of the text."""
    end = len(window)
    links = [found.span() for found in _LINK.finditer(text, 0, 2 * end)]
    for separator in ("\n\n", "\n", ". ", " "):
        found = window.rfind(separator, end // 2)
        while found > 0 and any(start < found < stop for start, stop in links):
            found = window.rfind(separator, end // 2, found)
        if found > 0:
            return found + len(separator)
    return end


def _interrupted_spans(head: str, rest: str) -> tuple[str, str]:
    """Returns the marks that close and reopen the emphases that a cut interrupts."""
    start = head.rfind("\n\n") + 1
    end = rest.find("\n\n")
    paragraph = head[start:] + (rest if end < 0 else rest[:end])
    cut = len(head) - start
    open_marks: list[str] = []
    position = 0
    while (found := _SPAN.search(paragraph, position)) is not None:
        if found.start() < cut < found.end() - len(found[1]) and cut >= found.start() + len(found[1]):
            open_marks.append(found[1])
            position = found.start() + len(found[1])
        else:
            position = found.end() if found.end() <= cut else found.start() + len(found[1])
            if found.start() >= cut:
                break
    return "".join(reversed(open_marks)), "".join(open_marks)
