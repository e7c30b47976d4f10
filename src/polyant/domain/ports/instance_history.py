"""Port: the earlier prompts and settings of instances."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from polyant.domain.audit import AuditEntry
from polyant.domain.instance_states import InstanceState, StateSummary
from polyant.domain.instances import InstanceId


@runtime_checkable
class InstanceHistory(Protocol):
    """Reads and deletes the states that the InstanceRepo of the same store keeps when it saves an instance.

    An instance has at most `MAX_STATES` states with `MAX_HISTORY_BYTES` together; saving drops the oldest first.
    Deleting an instance deletes its states.

    Each method raises StorageUnavailableError when the store is unavailable.
    """

    @abstractmethod
    async def list(self, instance: InstanceId) -> Sequence[StateSummary]:
        """Returns the states of the instance without their content, the latest first; none for an unknown instance."""

    @abstractmethod
    async def get(self, instance: InstanceId, number: int) -> InstanceState | None:
        """Returns the state of the instance with that number, or None if there is none."""

    @abstractmethod
    async def delete(self, instance: InstanceId, number: int, *, audit: AuditEntry | None = None) -> None:
        """Deletes one state; the audit entry is stored in the same transaction.

        Raises:
            UnknownStateError: The instance has no state with that number; nothing is stored.
        """
