"""Port: data keys, each of which encrypts the content of one conversation."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from polyant.domain.data_keys import DataAddress


@runtime_checkable
class DataKey(Protocol):
    """The key of one conversation, in plaintext; keep it for one turn at most.

    No method waits, and no repr or error contains the key or anything that it encrypted.
    """

    @abstractmethod
    def encrypt(self, data: bytes, address: DataAddress) -> bytes:
        """Returns the ciphertext of the data.

        It differs on each call, and is at most 64 bytes longer than the data.
        """

    @abstractmethod
    def decrypt(self, encrypted: bytes, address: DataAddress) -> bytes:
        """Returns the data that this key encrypted for the same address.

        Raises:
            SecretUnreadableError: The ciphertext is damaged, or belongs to another key or address. The message contains
                neither ciphertext nor data.
        """

    @abstractmethod
    def encrypt_text(self, text: str, address: DataAddress) -> str:
        """Returns the ciphertext of any text, in ASCII; it differs on each call."""

    @abstractmethod
    def decrypt_text(self, encrypted: str, address: DataAddress) -> str:
        """Returns the text that this key encrypted for the same address.

        Raises:
            SecretUnreadableError: As for `decrypt`; also for the result of `encrypt`, in any encoding.
        """

    def decrypt_texts(self, encrypted: Sequence[tuple[str, DataAddress]]) -> list[str]:
        """Returns the texts that this key encrypted for these addresses, in their order.

        Raises:
            SecretUnreadableError: As for `decrypt_text`, if one of them can't be decrypted.
        """
        return [self.decrypt_text(text, address) for text, address in encrypted]

    @abstractmethod
    def fingerprint(self, data: bytes) -> str:
        """Returns a keyed hash of the data: 64 lowercase hex digits.

        Equal data have equal fingerprints under one key. Without the key, a fingerprint can be used neither to recover
        the data nor to test a guess, and fingerprints of different keys can't be compared.
        """


@runtime_checkable
class DataCipher(Protocol):
    """Creates data keys, and encrypts ("wraps") each with the SecretCipher, bound to its conversation.

    Any method may call a key management service, so no method blocks the event loop. Calls may overlap.
    """

    @abstractmethod
    async def create_key(self, conversation: str) -> tuple[DataKey, str]:
        """Returns a new random data key for a conversation, and its wrapped form in ASCII, which is stored."""

    @abstractmethod
    async def unwrap_key(self, wrapped: str, conversation: str) -> DataKey:
        """Returns the data key of a conversation.

        Raises:
            SecretUnreadableError: The wrapped key is damaged, belongs to another conversation, or was encrypted with a
                master key that isn't configured. The message contains no key.
        """

    @abstractmethod
    async def rewrap_key(self, wrapped: str, conversation: str) -> str:
        """Returns the same data key, wrapped with the current master key.

        Raises:
            SecretUnreadableError: As for `unwrap_key`.
        """

    @abstractmethod
    async def key_id(self) -> str:
        """Returns the id of the master key that wraps now; the id reveals nothing about the key."""

    @abstractmethod
    async def key_id_of(self, wrapped: str) -> str:
        """Returns the id of the master key that wrapped a data key.

        Raises:
            SecretUnreadableError: The text isn't a wrapped key.
        """
