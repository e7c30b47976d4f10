"""Protects the operator's terminal from the texts of strangers, such as names of users and messages."""

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# C0 and C1 controls start escape sequences; the others reorder or break lines. Line breaks and tabs stay.
_UNSAFE = re.compile(r"\r\n|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class TerminalStream(io.TextIOBase):
    """Writes text to a terminal, with control characters escaped.

    Args:
        stream: The stream that it replaces.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed declares a plain attribute
        """The encoding of the replaced stream."""
        encoding: str = self.stream.encoding
        return encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # typeshed declares a plain attribute
        """How the replaced stream handles characters that its encoding lacks."""
        errors: str | None = self.stream.errors
        return errors

    def fileno(self) -> int:
        """Returns the descriptor of the replaced stream."""
        return int(self.stream.fileno())

    def isatty(self) -> bool:
        """Returns True."""
        return True

    def writable(self) -> bool:
        """Returns True."""
        return True

    def write(self, text: str) -> int:
        """Writes the text as `visible` returns it; returns the number of characters that were given."""
        self.stream.write(visible(text))
        return len(text)

    def flush(self) -> None:
        """Flushes the replaced stream."""
        self.stream.flush()


def visible(text: str) -> str:
    r"""Returns a text that can't control a terminal: control characters are escaped as in `\x1b`."""
    return _UNSAFE.sub(_escaped, text)


def visible_line(text: str) -> str:
    """Returns a text as `visible` does, in one line."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


@contextmanager
def escaped_terminal() -> Iterator[None]:
    """Escapes control characters in what is written to a terminal within the block.

    Files and pipes get every text unchanged.
    """
    replaced = sys.stdout, sys.stderr
    for name, stream in zip(("stdout", "stderr"), replaced, strict=True):
        if stream.isatty():
            setattr(sys, name, TerminalStream(stream))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = replaced


def unescaped(stream: Any) -> Any:
    """Returns the stream itself, or the one that a TerminalStream replaces."""
    return stream.stream if isinstance(stream, TerminalStream) else stream


def _escaped(found: re.Match[str]) -> str:
    return "\n" if found[0] == "\r\n" else ascii(found[0])[1:-1]
