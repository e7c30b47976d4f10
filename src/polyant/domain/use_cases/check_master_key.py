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
            "The master key is not the key that sealed the stored secrets",
            hint="Give the one that was in use before as ENCRYPTION_KEY (without that it stands in keys/encryption.key "
            "in POLYANT_HOME); to replace it, give it as ENCRYPTION_KEY_PREVIOUS beside the new one",
        )


class OlderMasterKeyMissingError(UnavailableError):
    """The master key is right, but some stored secrets may still need the one before it."""

    def __init__(self) -> None:
        super().__init__(
            "The master key was replaced, but not every stored secret is sealed with the new one",
            hint="Give the one before as ENCRYPTION_KEY_PREVIOUS (without ENCRYPTION_KEY it stands in "
            "keys/encryption.previous in POLYANT_HOME) and run `polyant keys rotate-master`",
        )


class CheckMasterKey:
    """Compares the master keys with the check value that is kept beside the secrets.

    The value is a text sealed with the master key. While the master key is being replaced, it is that sealed form
    sealed once more, with the new key: who has only one of the two keys can't open it.
    """

    def __init__(self, *, cipher: SecretCipher, key_check: KeyCheck) -> None:
        self._cipher = cipher
        self._key_check = key_check

    async def verify(self) -> None:
        """Returns if the keys fit the value kept, or none is kept yet; changes nothing.

        Raises:
            WrongMasterKeyError: They don't fit.
            OlderMasterKeyMissingError: The master key is being replaced, and the one before it isn't given.
        """
        kept = await self._key_check.read()
        if kept is not None:
            await self._key_ids(kept)

    async def keep(self) -> None:
        """Keeps a check value if there is none yet.

        Raises:
            WrongMasterKeyError: Another key's value was kept first.
            OlderMasterKeyMissingError: The master key is being replaced, and the one before it isn't given.
        """
        await self._key_ids(await self._kept())

    async def is_settled(self) -> bool:
        """Returns whether the value kept needs the current key alone, or none is kept yet; changes nothing.

        Raises:
            WrongMasterKeyError: The keys don't fit the value.
            OlderMasterKeyMissingError: One that it needs isn't given.
        """
        kept = await self._key_check.read()
        return kept is None or await self._key_ids(kept) == [await self._cipher.key_id()]

    async def begin_change(self) -> None:
        """Has the value need the current key beside those that it needs already.

        Raises:
            WrongMasterKeyError: The keys don't fit the value.
            OlderMasterKeyMissingError: One that it needs isn't given.
        """
        while (await self._key_ids(kept := await self._kept()))[0] != await self._cipher.key_id():
            await self._key_check.replace(kept, await self._sealed(kept))

    async def end_change(self) -> None:
        """Has the value need the current key alone.

        Raises:
            WrongMasterKeyError: The keys don't fit the value.
            OlderMasterKeyMissingError: One that it needs isn't given.
        """
        while await self._key_ids(kept := await self._kept()) != [await self._cipher.key_id()]:
            await self._key_check.replace(kept, await self._sealed(_TEXT))

    async def _kept(self) -> str:
        return await self._key_check.read() or await self._key_check.keep(await self._sealed(_TEXT))

    async def _sealed(self, text: str) -> str:
        return await self._cipher.seal(SecretText(text), _ADDRESS)

    async def _key_ids(self, kept: str) -> list[str]:
        """Returns the ids of the keys that the value needs, the outermost first."""
        key_ids: list[str] = []
        while kept != _TEXT:
            try:
                key_ids.append(await self._cipher.key_id_of(kept))
                kept = (await self._cipher.open(kept, _ADDRESS)).reveal()
            except SecretUnreadableError:
                raise (OlderMasterKeyMissingError if key_ids[1:] else WrongMasterKeyError) from None
        return key_ids
