"""Port: new random identifiers and keys."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.instances import InstanceId
from polyant.domain.secrets import SecretText
from polyant.domain.users import UserId


@runtime_checkable
class TokenSource(Protocol):
    """Generates unique values that can't be guessed."""

    @abstractmethod
    def instance_id(self) -> InstanceId:
        """Returns 32 lowercase hex digits, 128 random bits."""

    @abstractmethod
    def api_key(self) -> SecretText:
        """Returns `sk-` and at least 192 random bits, in characters that need no quoting in a shell or URL."""

    @abstractmethod
    def user_id(self) -> UserId:
        """Returns 32 lowercase hex digits, 128 random bits."""

    @abstractmethod
    def session_id(self) -> str:
        """Returns 32 lowercase hex digits, 128 random bits."""

    @abstractmethod
    def turn_id(self) -> str:
        """Returns 32 lowercase hex digits, 128 random bits."""

    @abstractmethod
    def password(self) -> SecretText:
        """Returns at least 12 letters and digits with at least 96 random bits."""
