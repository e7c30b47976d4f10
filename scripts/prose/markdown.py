"""Splits Markdown pages into texts; omits code."""

import re
from collections.abc import Iterator

from scripts.prose.texts import Kind, Text

_FENCE = re.compile(r"\s*(```|~~~)")
_STARTS_TEXT = re.compile(r"\s*([-*] |\d+\. |#+ |>)")
_RULER = re.compile(r"\|[-:| ]+\|?\s*$")
_MARKUP = (
    (re.compile(r"<!--.*?-->"), ""),
    (re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)"), "code"),
    (re.compile(r"!?\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"<[^>]+>|[*_]{2,}"), ""),
    (re.compile(r"^\s*([-*] |\d+\. |#+ |>)\s*"), ""),
)


def texts_of_markdown(page: str) -> Iterator[Text]:
    """Yields the paragraphs, list items, headings and table cells of a page."""
    lines = _without_code(page)
    start, block = 1, list[str]()
    for number, line in enumerate([*lines, ""], 1):
        is_row = line.lstrip().startswith("|")
        if block and (not line.strip() or is_row or _STARTS_TEXT.match(line)):
            yield Text(Kind.PARAGRAPH, start, _plain(" ".join(block)))
            block = []
        if is_row:
            yield from _cells(line, number, is_head=number < len(lines) and bool(_RULER.match(lines[number])))
        elif line.strip():
            start = start if block else number
            block.append(line.strip())


def _without_code(page: str) -> list[str]:
    """Returns the lines of a page, with empty lines in place of code blocks, so that line numbers don't change."""
    lines, in_code = [], False
    for line in page.splitlines():
        is_fence = bool(_FENCE.match(line))
        lines.append("" if in_code or is_fence else line)
        in_code ^= is_fence
    return lines


def _cells(line: str, number: int, *, is_head: bool) -> Iterator[Text]:
    if not _RULER.match(line):
        for cell in re.split(r"(?<!\\)\|", _plain(line.strip().strip("|"))):
            yield Text(Kind.TABLE_HEAD if is_head else Kind.PARAGRAPH, number, cell.strip())


def _plain(text: str) -> str:
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return text.strip()
