"""Port: the tokens that authenticate a session."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.access import Session
from polyant.domain.secrets import SecretText


@runtime_checkable
class SessionTokens(Protocol):
    """Issues and verifies session tokens without storing them."""

    @abstractmethod
    def issue(self, session: Session) -> SecretText:
        """Returns a token that authenticates the session until it expires; the token is a valid header value."""

    @abstractmethod
    def verify(self, token: SecretText) -> Session | None:
        """Returns the session that the token was issued for, with its expiry truncated to whole seconds.

        Returns None if the token is malformed, forged, expired or intended for another audience.
        """
