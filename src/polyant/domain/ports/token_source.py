"""Port: fresh random identifiers and keys."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.instances import InstanceId
from polyant.domain.secrets import SecretText


@runtime_checkable
class TokenSource(Protocol):
    """Makes values that nobody can guess and that don't repeat."""

    @abstractmethod
    def instance_id(self) -> InstanceId:
        """Returns 32 lowercase hex digits, 128 random bits."""

    @abstractmethod
    def api_key(self) -> SecretText:
        """Returns `sk-` and at least 192 random bits in characters that need no quoting in a shell or URL."""
