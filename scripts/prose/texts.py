"""The texts that the prose check reads, each with its kind and line."""

import enum
from pathlib import Path
from typing import NamedTuple


class Kind(enum.Enum):
    """The kinds of text. A rule applies to some of them."""

    PARAGRAPH = "paragraph"
    """A paragraph, list item, heading or table cell of a Markdown page, without code."""
    TABLE_HEAD = "table head"
    DOCSTRING = "docstring"
    COMMENT = "comment"
    MESSAGE = "message"
    """A string of the program with several words, such as an error message or a help text."""
    IDENTIFIER = "identifier"
    """A defined name after its keyword: `class Stage`, `def several`, `name least`."""


class Text(NamedTuple):
    """One text of a file."""

    kind: Kind
    line: int
    content: str


class Finding(NamedTuple):
    """One violation of a rule."""

    path: Path
    line: int
    found: str
    instead: str
