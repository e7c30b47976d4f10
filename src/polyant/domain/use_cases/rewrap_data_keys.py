"""Use case: wrap the data keys of conversations with the current master key."""

from collections.abc import Callable

import msgspec

from polyant.domain.conversations import KeyReplacement, WrappedKey
from polyant.domain.errors import SecretUnreadableError
from polyant.domain.ports.conversation_maintenance import ConversationMaintenance
from polyant.domain.ports.data_cipher import DataCipher

BATCH = 200
"""The number of keys that one transaction replaces."""


class Rewrapped(msgspec.Struct, frozen=True):
    """The numbers of data keys that were wrapped again, and of those that no configured master key unwraps."""

    keys: int = 0
    unreadable: int = 0


class RewrapDataKeys:
    """Replaces the wrapped form of data keys; the data keys and all ciphertexts stay as they are.

    Each batch is stored before the next one is read, so that it can be interrupted and repeated at any point.

    Args:
        maintenance: Finds and replaces keys.
        data_cipher: Wraps them.
    """

    def __init__(self, *, maintenance: ConversationMaintenance, data_cipher: DataCipher) -> None:
        self._maintenance = maintenance
        self._cipher = data_cipher

    async def __call__(self, progress: Callable[[int], None] = lambda _: None) -> Rewrapped:
        """Returns the result once only unreadable keys have another master key.

        Args:
            progress: Called after each batch with the number of keys so far.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
        current, done, unreadable = await self._cipher.key_id(), 0, set[str]()
        while True:
            # Unreadable keys stay in the result, so the limit grows by their number.
            found = await self._maintenance.outdated_keys(current, limit=BATCH + len(unreadable))
            fresh = [key for key in found if key.id not in unreadable]
            if not fresh:
                return Rewrapped(done, len(unreadable))
            replacements = []
            for key in fresh:
                try:
                    replacements.append(KeyReplacement(key, await self._rewrapped(key)))
                except SecretUnreadableError:
                    unreadable.add(key.id)
            done += await self._maintenance.replace_keys(replacements)
            progress(done)

    async def pending(self) -> Rewrapped:
        """Returns the numbers of data keys that another master key wraps; changes nothing.

        `keys` counts those that a configured key unwraps, up to the first 1,000.
        """
        readable = unreadable = 0
        for key in await self._maintenance.outdated_keys(await self._cipher.key_id(), limit=1_000):
            try:
                await self._cipher.unwrap_key(key.key, key.id)
                readable += 1
            except SecretUnreadableError:
                unreadable += 1
        return Rewrapped(readable, unreadable)

    async def _rewrapped(self, key: WrappedKey) -> WrappedKey:
        wrapped = await self._cipher.rewrap_key(key.key, key.id)
        return msgspec.structs.replace(key, key=wrapped, wrapped_by=await self._cipher.key_id_of(wrapped))
