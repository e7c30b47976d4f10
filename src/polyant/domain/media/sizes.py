"""The memory that media may take."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NewType

from polyant.domain.errors import InvalidInputError, ServerBusyError

MediaBytes = NewType("MediaBytes", int)
"""The setting MEDIA_BYTES."""


class MediaTooLargeError(InvalidInputError):
    """Images, recordings or documents have more bytes than the server takes.

    Args:
        limit: The maximum number of bytes.
        is_sum: Whether several items exceed it together.
    """

    def __init__(self, limit: int, *, is_sum: bool = False) -> None:
        items = "The images and files together are" if is_sum else "The image or file is"
        super().__init__(
            f"{items} too large: at most {limit} bytes are accepted",
            hint="MEDIA_BYTES sets the limit for one image or file, and for those of a turn together",
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
            account.clear()

    def take(self, number: int) -> None:
        """Counts bytes.

        Raises:
            ServerBusyError: They exceed the limit together with those of the running turns.
        """
        if self._held + number > self.limit:
            raise ServerBusyError
        self._held += number

    def free(self, number: int) -> None:
        """Counts bytes no longer."""
        self._held -= number


class TurnMediaMemory:
    """The bytes that one turn holds."""

    def __init__(self, memory: MediaMemory) -> None:
        self._memory = memory
        self.held = 0

    @property
    def limit(self) -> int:
        """The maximum number of bytes of one item."""
        return self._memory.limit

    def has_room_for(self, number: int) -> bool:
        """Returns whether the turn could hold that many more bytes if no other turn held any."""
        return self.held + number <= self.limit

    def take(self, number: int) -> None:
        """Counts bytes of one item until the turn ends.

        Raises:
            MediaTooLargeError: The turn alone would exceed the limit.
            ServerBusyError: The running turns together would exceed the limit.
        """
        if not self.has_room_for(number):
            raise MediaTooLargeError(self.limit, is_sum=bool(self.held))
        self._memory.take(number)
        self.held += number

    def clear(self) -> None:
        """Frees the bytes so far, because another account counts them from now on."""
        self._memory.free(self.held)
        self.held = 0
