"""The memory that media may take."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NewType

from polyant.domain.errors import InvalidInputError, ServerBusyError

MediaBytes = NewType("MediaBytes", int)
"""The setting MEDIA_BYTES."""


class MediaTooLargeError(InvalidInputError):
    """An image, a recording or a document has more bytes than the server takes.

    Args:
        limit: The maximum number of bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The image or file is too large: at most {limit} bytes are accepted",
            hint="MEDIA_BYTES sets the limit for one image or file",
        )


class MediaMemory:
    """Counts the bytes of all media that the running turns of this process hold.

    Args:
        limit: The maximum for one item, and for all running turns together.
    """

    def __init__(self, limit: MediaBytes) -> None:
        self.limit = int(limit)
        self._held = 0

    @property
    def held(self) -> int:
        """The number of bytes that running turns hold."""
        return self._held

    @contextmanager
    def turn(self) -> Iterator["TurnMediaMemory"]:
        """Yields the account of one turn; leaving frees its bytes."""
        account = TurnMediaMemory(self)
        try:
            yield account
        finally:
            self._held -= account.held

    def take(self, number: int) -> None:
        """Counts bytes.

        Raises:
            MediaTooLargeError: They exceed the limit by themselves.
            ServerBusyError: They exceed the limit together with those of the running turns.
        """
        if number > self.limit:
            raise MediaTooLargeError(self.limit)
        if self._held + number > self.limit:
            raise ServerBusyError
        self._held += number


class TurnMediaMemory:
    """The bytes that one turn holds."""

    def __init__(self, memory: MediaMemory) -> None:
        self._memory = memory
        self.held = 0

    @property
    def limit(self) -> int:
        """The maximum number of bytes of one item."""
        return self._memory.limit

    def take(self, number: int) -> None:
        """Counts bytes of one item until the turn ends.

        Raises:
            MediaTooLargeError: The item alone exceeds the limit.
            ServerBusyError: The running turns together would exceed the limit.
        """
        self._memory.take(number)
        self.held += number
