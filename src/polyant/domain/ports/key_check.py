"""Port: the value that tells whether the master key is the one the store was sealed with."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable


@runtime_checkable
class KeyCheck(Protocol):
    """Keeps one sealed value of no other use beside the secrets."""

    @abstractmethod
    async def read(self) -> str | None:
        """Returns the value kept, None if none was kept yet.

        Raises:
            StorageUnavailableError: The store doesn't answer.
        """

    @abstractmethod
    async def keep(self, sealed: str) -> str:
        """Keeps the value unless one is kept already, and returns the one that is kept; atomic.

        Raises:
            StorageUnavailableError: The store doesn't answer.
        """

    @abstractmethod
    async def replace(self, expected: str, sealed: str) -> bool:
        """Keeps the value in place of `expected`, and returns whether that was the one kept; atomic.

        If another one is kept, or none, it stays so. Of several who expect the same exactly one succeeds.

        Raises:
            StorageUnavailableError: The store doesn't answer.
        """
