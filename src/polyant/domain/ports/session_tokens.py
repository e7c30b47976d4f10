"""Port: the tokens that prove a session."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.access import Session
from polyant.domain.secrets import SecretText


@runtime_checkable
class SessionTokens(Protocol):
    """Issues session tokens and verifies them; keeps none."""

    @abstractmethod
    def issue(self, session: Session) -> SecretText:
        """Returns a token that speaks for the session until it expires, in characters that a header can carry."""

    @abstractmethod
    def verify(self, token: SecretText) -> Session | None:
        """Returns the session that the token was issued for, with its expiry cut to whole seconds.

        None if the token is malformed, forged, expired or meant for somebody else.
        """
