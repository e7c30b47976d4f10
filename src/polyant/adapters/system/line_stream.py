"""A text stream that passes each line on."""

import io
import threading
from collections.abc import Callable


class LineStream(io.TextIOBase):
    """Passes each complete line to a function, without the line end.

    Args:
        stream: The stream that it replaces; it provides the encoding and the descriptor.
        write_line: Receives each line that isn't blank.
    """

    def __init__(self, stream: io.TextIOBase, write_line: Callable[[str], None]) -> None:
        self.stream = stream
        self._write_line = write_line
        self._begun = ""
        self._lock = threading.Lock()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed declares a plain attribute
        """The encoding of the replaced stream."""
        return self.stream.encoding

    def fileno(self) -> int:
        """Returns the descriptor of the replaced stream."""
        return self.stream.fileno()

    def isatty(self) -> bool:
        """Returns False: programs must not write colours."""
        return False

    def writable(self) -> bool:
        """Returns True."""
        return True

    def write(self, text: str) -> int:
        """Passes the complete lines on and keeps an incomplete last one; returns the number of characters."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
        self._pass(lines)
        return len(text)

    def flush(self) -> None:
        """Passes an incomplete last line on and flushes the replaced stream."""
        with self._lock:
            begun, self._begun = self._begun, ""
        self._pass([begun])
        self.stream.flush()

    def _pass(self, lines: list[str]) -> None:
        for line in lines:
            if line.strip():
                self._write_line(line)
