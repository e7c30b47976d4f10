"""Extracts the words that users read from the panel's templates, and those of its modules in JavaScript."""

import re
from collections.abc import Iterator

from scripts.prose.texts import Kind, Text

_SEVERAL_WORDS = re.compile(r"[A-Za-z’']{2,}[ \n]+[A-Za-z’']{2,}")
_COMMENT = re.compile(r"\{#(.*?)#\}", re.DOTALL)
_STATEMENT = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ATTRIBUTE = re.compile(r'\b(?:aria-label|placeholder|title|alt)="([^"]*)"')
_INLINE = re.compile(r"</?(?:a|bdi|code|del|em|ins|span|strong|time)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")
_SCRIPT_COMMENT = re.compile(r"(?:^|\s)// (.*)")
_SCRIPT_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`')


def texts_of_template(source: str) -> Iterator[Text]:
    """Yields the texts of a template: comments, strings in expressions, attributes that are read, and text."""
    for number, line in enumerate(source.splitlines(), 1):
        for comment in _COMMENT.findall(line):
            yield Text(Kind.COMMENT, number, comment.strip())
        statements = _STATEMENT.findall(line)
        literals = (text for statement in statements for text in _LITERAL.findall(statement))
        plain = _STATEMENT.sub(lambda found: "" if found[0].startswith("{%") else "value", _COMMENT.sub("", line))
        pieces = _TAG.split(_INLINE.sub("", plain))
        for text in (*literals, *_ATTRIBUTE.findall(plain), *pieces):
            if _SEVERAL_WORDS.search(text):
                yield Text(Kind.PARAGRAPH, number, text.strip())


def texts_of_script(source: str) -> Iterator[Text]:
    """Yields the comments of a module in JavaScript, and its strings with several words."""
    for number, line in enumerate(source.splitlines(), 1):
        for comment in _SCRIPT_COMMENT.findall(line):
            yield Text(Kind.COMMENT, number, comment)
        for pair in _SCRIPT_LITERAL.findall(line):
            if _SEVERAL_WORDS.search(text := "".join(pair)):
                yield Text(Kind.MESSAGE, number, text)
