"""Use case: tell whether the master key is the one the stored secrets were sealed with."""

from polyant.domain.errors import SecretUnreadableError, UnavailableError
from polyant.domain.ports.key_check import KeyCheck
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretAddress, SecretName, SecretText

_ADDRESS = SecretAddress(instance_id="", name=SecretName("key_check"))
_TEXT = "polyant"


class WrongMasterKeyError(UnavailableError):
    """The master key isn't the one that sealed the stored secrets."""

    def __init__(self) -> None:
        super().__init__(
            "ENCRYPTION_KEY is not the key that sealed the stored secrets: give the one that was in use before "
            "(without ENCRYPTION_KEY it stands in keys/encryption.key in POLYANT_HOME)"
        )


class CheckMasterKey:
    """Compares the master key with the check value that is kept beside the secrets."""

    def __init__(self, *, cipher: SecretCipher, key_check: KeyCheck) -> None:
        self._cipher = cipher
        self._key_check = key_check

    async def verify(self) -> None:
        """Returns if the key fits the value kept, or none is kept yet; changes nothing.

        Raises:
            WrongMasterKeyError: It doesn't fit.
        """
        kept = await self._key_check.read()
        if kept is not None:
            self._open(kept)

    async def keep(self) -> None:
        """Keeps a check value if there is none yet.

        Raises:
            WrongMasterKeyError: Another key's value was kept first.
        """
        self._open(await self._key_check.keep(self._cipher.seal(SecretText(_TEXT), _ADDRESS)))

    def _open(self, kept: str) -> None:
        try:
            self._cipher.open(kept, _ADDRESS)
        except SecretUnreadableError:
            raise WrongMasterKeyError from None
