"""The earlier prompts and settings of instances in memory."""

from collections.abc import Sequence

from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry
from polyant.domain.instance_states import InstanceState, StateSummary, UnknownStateError
from polyant.domain.instances import InstanceId
from polyant.domain.ports.instance_history import InstanceHistory


class MemoryInstanceHistory(InstanceHistory):
    """Keeps states in memory.

    Args:
        memory: The store of the InstanceRepo that adds the states; None for a separate store.
    """

    def __init__(self, *, memory: MemoryStore | None = None) -> None:
        self._memory = memory or MemoryStore()

    async def list(self, instance: InstanceId) -> Sequence[StateSummary]:
        states = self._memory.states.get(instance, {})
        return [states[number].summary for number in sorted(states, reverse=True)]

    async def get(self, instance: InstanceId, number: int) -> InstanceState | None:
        return self._memory.states.get(instance, {}).get(number)

    async def delete(self, instance: InstanceId, number: int, *, audit: AuditEntry | None = None) -> None:
        if self._memory.states.get(instance, {}).pop(number, None) is None:
            raise UnknownStateError(number)
        self._memory.drop_unused_skill_files(instance)
        self._memory.append_audit(audit)
