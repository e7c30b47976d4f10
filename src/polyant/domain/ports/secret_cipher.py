"""Port: seal and open a secret, bound to where it lives."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.secrets import SecretAddress, SecretText


@runtime_checkable
class SecretCipher(Protocol):
    """Seals secrets for storage and makes keyed fingerprints to find them by.

    Every method may call a key management service, so none blocks the event loop. Calls may overlap.
    """

    @abstractmethod
    async def seal(self, secret: SecretText, address: SecretAddress) -> str:
        """Returns the sealed form of a secret.

        The form is ASCII, names its version and the id of the key that sealed it, and differs at each call: equal
        secrets can't be told from their sealed forms.
        """

    @abstractmethod
    async def open(self, sealed: str, address: SecretAddress) -> SecretText:
        """Returns the secret that was sealed at that same address.

        Raises:
            SecretUnreadableError: The form is damaged or of an unknown version or key, or belongs to another address
                (another instance, name or origin). The message shows neither the form nor the secret.
        """

    @abstractmethod
    async def fingerprints(self, secret: SecretText) -> tuple[str, ...]:
        """Returns every keyed hash under which the secret may be stored, the current key's first.

        Equal secrets have equal fingerprints, others don't, and without the master key neither a secret can be
        recovered from a fingerprint nor a guess be tested.
        """

    @abstractmethod
    async def key_id(self) -> str:
        """Returns the id of the key that seals now; it tells nothing of the key itself."""

    @abstractmethod
    async def key_id_of(self, sealed: str) -> str:
        """Returns the id of the key that sealed this form.

        Raises:
            SecretUnreadableError: It isn't a sealed form.
        """
