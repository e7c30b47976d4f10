"""Port: the check value that shows whether the master key matches the stored secrets."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable


@runtime_checkable
class KeyCheck(Protocol):
    """Stores one encrypted check value next to the secrets; it serves no other purpose."""

    @abstractmethod
    async def read(self) -> str | None:
        """Returns the stored value, or None if there is none yet.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """

    @abstractmethod
    async def keep(self, sealed: str) -> str:
        """Atomically stores the value unless one is already stored, and returns the stored value.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """

    @abstractmethod
    async def replace(self, expected: str, sealed: str) -> bool:
        """Atomically replaces `expected` with the value, and returns whether `expected` was the stored value.

        If another value or none is stored, nothing changes. Of several concurrent calls that expect the same value,
        exactly one succeeds.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
