"""Port: encryption of secrets, bound to the place where they are stored."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.secrets import SecretAddress, SecretText


@runtime_checkable
class SecretCipher(Protocol):
    """Encrypts secrets for storage and computes keyed fingerprints for looking them up.

    Any method may call a key management service, so no method blocks the event loop. Calls may overlap. No log line,
    and no exception that a method raises or replaces, contains a secret.
    """

    @abstractmethod
    async def seal(self, secret: SecretText, address: SecretAddress) -> str:
        """Returns the ciphertext of a secret.

        The ciphertext is ASCII and contains its format version and the id of the key that encrypted it. It differs on
        each call, also after a restart, so it doesn't reveal whether two secrets are equal. It contains a nonce or
        initialization vector of at least 96 bits, so that none repeats, and an authentication tag of at least 128 bits.
        """

    @abstractmethod
    async def open(self, sealed: str, address: SecretAddress) -> SecretText:
        """Returns the secret that was encrypted for the same address.

        Raises:
            SecretUnreadableError: The ciphertext is damaged, has an unknown version or key, or belongs to another
                address (another instance, name or origin). The message contains neither ciphertext nor secret.
        """

    @abstractmethod
    async def fingerprints(self, secret: SecretText) -> tuple[str, ...]:
        """Returns every keyed hash under which the secret may be stored, starting with the current key's.

        Two secrets have equal fingerprints if and only if they are equal. Without the master key, a fingerprint can be
        used neither to recover a secret nor to test a guess.
        """

    @abstractmethod
    async def key_id(self) -> str:
        """Returns the id of the key that encrypts now; the id reveals nothing about the key."""

    @abstractmethod
    async def key_id_of(self, sealed: str) -> str:
        """Returns the id of the key that produced this ciphertext.

        Raises:
            SecretUnreadableError: The text isn't a ciphertext of this cipher.
        """
