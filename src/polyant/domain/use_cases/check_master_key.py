"""Use case: check that the master key matches the stored secrets."""

from polyant.domain.errors import SecretUnreadableError, UnavailableError
from polyant.domain.ports.key_check import KeyCheck
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.secrets import SecretAddress, SecretName, SecretText

_ADDRESS = SecretAddress(instance_id="", name=SecretName("key_check"))
_TEXT = "polyant"


class WrongMasterKeyError(UnavailableError):
    """The stored secrets were encrypted with another master key."""

    def __init__(self) -> None:
        super().__init__(
            "The master key is not the key that encrypted the stored secrets",
            hint="Set ENCRYPTION_KEY to the key that was in use before (if unset, the key is read from "
            "keys/encryption.key in POLYANT_HOME); to replace the key, set ENCRYPTION_KEY_PREVIOUS to the old one",
        )


class OlderMasterKeyMissingError(UnavailableError):
    """The master key is correct, but some stored secrets may still need the previous one."""

    def __init__(self) -> None:
        super().__init__(
            "The master key was replaced, but not every stored secret is encrypted with the new one",
            hint="Set ENCRYPTION_KEY_PREVIOUS to the previous key (if ENCRYPTION_KEY is unset, it is read from "
            "keys/encryption.previous in POLYANT_HOME) and run `polyant keys rotate-master`",
        )


class CheckMasterKey:
    """Compares the master keys with the check value that is stored next to the secrets.

    The value is a text encrypted with the master key. While the master key is being replaced, the ciphertext is
    encrypted again with the new key, so decrypting it requires both keys.
    """

    def __init__(self, *, cipher: SecretCipher, key_check: KeyCheck) -> None:
        self._cipher = cipher
        self._key_check = key_check

    async def verify(self) -> None:
        """Checks that the keys match the stored check value, if there is one; changes nothing.

        Raises:
            WrongMasterKeyError: The keys don't match.
            OlderMasterKeyMissingError: The master key is being replaced, and the previous one isn't configured.
        """
        stored = await self._key_check.read()
        if stored is not None:
            await self._key_ids(stored)

    async def keep(self) -> None:
        """Stores a check value if there is none yet.

        Raises:
            WrongMasterKeyError: The stored value belongs to another key.
            OlderMasterKeyMissingError: The master key is being replaced, and the previous one isn't configured.
        """
        await self._key_ids(await self._stored_value())

    async def is_settled(self) -> bool:
        """Returns whether the stored value needs only the current key, or none is stored yet; changes nothing.

        Raises:
            WrongMasterKeyError: The keys don't match the value.
            OlderMasterKeyMissingError: A key that the value needs isn't configured.
        """
        stored = await self._key_check.read()
        return stored is None or await self._key_ids(stored) == [await self._cipher.key_id()]

    async def begin_change(self) -> None:
        """Makes the value need the current key in addition to the keys that it already needs.

        Raises:
            WrongMasterKeyError: The keys don't match the value.
            OlderMasterKeyMissingError: A key that the value needs isn't configured.
        """
        while (await self._key_ids(stored := await self._stored_value()))[0] != await self._cipher.key_id():
            await self._key_check.replace(stored, await self._sealed(stored))

    async def end_change(self) -> None:
        """Makes the value need only the current key.

        Raises:
            WrongMasterKeyError: The keys don't match the value.
            OlderMasterKeyMissingError: A key that the value needs isn't configured.
        """
        while await self._key_ids(stored := await self._stored_value()) != [await self._cipher.key_id()]:
            await self._key_check.replace(stored, await self._sealed(_TEXT))

    async def _stored_value(self) -> str:
        return await self._key_check.read() or await self._key_check.keep(await self._sealed(_TEXT))

    async def _sealed(self, text: str) -> str:
        return await self._cipher.seal(SecretText(text), _ADDRESS)

    async def _key_ids(self, value: str) -> list[str]:
        """Returns the ids of the keys that the value needs, the outermost first."""
        key_ids: list[str] = []
        while value != _TEXT:
            try:
                key_ids.append(await self._cipher.key_id_of(value))
                value = (await self._cipher.open(value, _ADDRESS)).reveal()
            except SecretUnreadableError:
                raise (OlderMasterKeyMissingError if key_ids[1:] else WrongMasterKeyError) from None
        return key_ids
