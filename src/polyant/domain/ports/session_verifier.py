"""Port: whom does a session token speak for?"""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.access import Session
from polyant.domain.secrets import SecretText


@runtime_checkable
class SessionVerifier(Protocol):
    """Tells good session tokens from bad ones."""

    @abstractmethod
    def verify(self, token: SecretText) -> Session | None:
        """Returns the session, None if the token is malformed, forged, expired or meant for somebody else."""
