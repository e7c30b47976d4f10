"""Keyed hashes by which lanes and users are found without storing their addresses in plaintext."""

import asyncio

import msgspec

from polyant.domain.conversations import INDEX_DAY, KeyKind, LaneId, WrappedKey
from polyant.domain.instances import InstanceId
from polyant.domain.ports.data_cipher import DataCipher, DataKey
from polyant.domain.ports.inbox import Inbox


class LookupHashes:
    """Computes the hashes with one data key of the store, which a change of the master key re-wraps but doesn't change.

    A fingerprint of the SecretCipher would change with the master key: conversations couldn't be continued, and the
    deletion of a user would miss older ones.

    Args:
        inbox: Stores the wrapped key.
        data_cipher: Creates and unwraps the key.
    """

    def __init__(self, *, inbox: Inbox, data_cipher: DataCipher) -> None:
        self._inbox = inbox
        self._cipher = data_cipher
        self._key: DataKey | None = None
        self._lock = asyncio.Lock()

    async def lane(self, instance: InstanceId, channel: str, *address: str) -> LaneId:
        """Returns the id of the lane of a peer.

        Args:
            instance: The instance.
            channel: `api`, or the name of a channel adapter.
            *address: The parts of the peer's address, such as account, chat and thread; their number is significant.

        Raises:
            StorageUnavailableError: The store is unavailable.
            SecretUnreadableError: The key was wrapped with a master key that isn't configured.
        """
        return LaneId(await self._hash("lane", instance, channel, *address))

    async def user(self, instance: InstanceId, channel: str, user: str) -> str:
        """Returns the hash of a user's id; raises as `lane`."""
        return await self._hash("user", instance, channel, user)

    async def _hash(self, *parts: str) -> str:
        key = self._key or await self._load()
        return key.fingerprint(msgspec.json.encode(parts))

    async def _load(self) -> DataKey:
        async with self._lock:
            if self._key is None:
                stored = await self._inbox.ingest_key(INDEX_DAY) or await self._create()
                self._key = await self._cipher.unwrap_key(stored.key, INDEX_DAY.isoformat())
            return self._key

    async def _create(self) -> WrappedKey:
        _, wrapped = await self._cipher.create_key(INDEX_DAY.isoformat())
        draft = WrappedKey(
            kind=KeyKind.INGEST,
            id=INDEX_DAY.isoformat(),
            key=wrapped,
            wrapped_by=await self._cipher.key_id_of(wrapped),
        )
        stored = await self._inbox.ingest_key(INDEX_DAY, draft)
        return draft if stored is None else stored
