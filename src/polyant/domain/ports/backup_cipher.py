"""Port: encryption of backup files with a passphrase."""

from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator
from typing import Protocol, runtime_checkable

from polyant.domain.secrets import SecretText


@runtime_checkable
class BackupCipher(Protocol):
    """Encrypts and decrypts streams of bytes with a passphrase, in bounded memory.

    How the bytes are divided into pieces makes no difference. Equivalent Unicode forms of a passphrase are the same
    passphrase.
    """

    @abstractmethod
    def encrypt(self, pieces: AsyncIterable[bytes], passphrase: SecretText) -> AsyncIterator[bytes]:
        """Yields the encrypted form of the pieces, which differs on each call."""

    @abstractmethod
    def decrypt(self, pieces: AsyncIterable[bytes], passphrase: SecretText) -> AsyncIterator[bytes]:
        """Yields what was encrypted; every yielded byte is authentic and in its place.

        Only the regular end of the iteration shows that the input is complete: an error may follow authentic bytes.

        Raises:
            NotABackupError: The input doesn't begin like an encrypted stream.
            NewerBackupError: The input has a newer format.
            WrongPassphraseError: The passphrase is another one.
            DamagedBackupError: The input was cut, changed, reordered or extended. No message contains the passphrase.
        """
