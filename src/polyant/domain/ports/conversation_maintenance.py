"""Port: retention, key rotation and repair of the conversation store."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from polyant.domain.conversations import Deletion, KeyReplacement, LaneId, WrappedKey


@runtime_checkable
class ConversationMaintenance(Protocol):
    """Work on the whole store, in batches small enough not to delay turns.

    Every method raises `StorageUnavailableError` if the store is unavailable, and can be repeated.
    """

    @abstractmethod
    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        """Deletes messages older than a time, at most `limit`, and returns what it removed.

        Call it again until it is complete. With its last message, a conversation is deleted, with its data key and its
        deliveries, and its lane if that is free and has no events. A conversation without messages expires by the time
        of its update. Deleted data can't be recovered from the store's files.
        """

    @abstractmethod
    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        """Deletes finished events, settled deliveries, and old dead events; returns False if more is left.

        An event is deleted if it was received before `finished_before` and is finished, or before `dead_before` and is
        dead. Deliveries count by the time of their creation: sent and failed ones as finished, unknown ones as dead.
        Ingest keys of days before `finished_before` that no stored ciphertext can need, and lanes that are free and
        empty, go with them. A deleted event that is received again is new, so keep finished ones longer than platforms
        deliver again.
        """

    @abstractmethod
    async def heal(self) -> tuple[LaneId, ...]:
        """Makes lanes due that have open events or deliveries but would never be claimed, and returns them.

        A correct store finds none.
        """

    @abstractmethod
    async def outdated_keys(self, current: str, *, limit: int) -> tuple[WrappedKey, ...]:
        """Returns data keys that another master key than the current one wraps, at most `limit`.

        Args:
            current: The id of the current master key.
            limit: The maximum number of keys.
        """

    @abstractmethod
    async def replace_keys(self, replacements: Sequence[KeyReplacement]) -> int:
        """Stores re-wrapped data keys, and returns how many; a key that has changed since it was read is left alone."""

    @abstractmethod
    async def count_keys(self, wrapped_by: str) -> int:
        """Returns the number of data keys that this master key wraps."""
