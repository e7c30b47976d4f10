"""Port: password hashing and verification."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.secrets import SecretText


@runtime_checkable
class PasswordHasher(Protocol):
    """Hashes passwords with a deliberately slow algorithm, without blocking the event loop.

    Work for a cancelled call is dropped, unless it has begun.
    """

    @abstractmethod
    async def hash(self, password: SecretText) -> str:
        """Returns a hash that contains its algorithm and parameters and differs on each call."""

    @abstractmethod
    async def verify(self, password: SecretText, hashed: str | None) -> bool:
        """Returns whether the password matches the hash.

        A missing or malformed hash takes as long to verify and returns False.
        """
