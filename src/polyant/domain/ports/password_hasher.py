"""Port: is this the password?"""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.secrets import SecretText


@runtime_checkable
class PasswordHasher(Protocol):
    """Hashes passwords slowly on purpose, away from the event loop."""

    @abstractmethod
    async def hash(self, password: SecretText) -> str:
        """Returns a hash that names its method and parameters and differs at each call."""

    @abstractmethod
    async def verify(self, password: SecretText, hashed: str | None) -> bool:
        """Returns whether the hash was made of that password.

        Without a hash, or with one that can't be read, it takes as long and returns False.
        """
