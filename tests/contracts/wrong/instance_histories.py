"""Histories of instances that each break one promise, and repositories that keep them wrongly."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.instance_history import MemoryInstanceHistory
from polyant.adapters.memory.instance_repo import MemoryInstanceRepo
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry
from polyant.domain.instance_states import MAX_STATES, InstanceState, StateSummary
from polyant.domain.instances import Instance, InstanceId, Slug
from polyant.domain.skill_files import StoredSkillFile
from polyant.testing.instance_history import InstanceHistoryContract
from support.stores import InMemory


class MemoryContract(InMemory, InstanceHistoryContract):
    made: type[MemoryInstanceHistory] = MemoryInstanceHistory
    repo: type[MemoryInstanceRepo] = MemoryInstanceRepo

    @pytest.fixture
    def history(self, memory: MemoryStore) -> MemoryInstanceHistory:
        return self.made(memory=memory)

    @pytest.fixture
    def instance_repo(self, memory: MemoryStore) -> MemoryInstanceRepo:
        return self.repo(memory=memory)


class OldestFirst(MemoryInstanceHistory):
    """Forgets DESC."""

    async def list(self, instance: InstanceId) -> Sequence[StateSummary]:
        return [*await super().list(instance)][::-1]


class TestOldestFirst(MemoryContract):
    made = OldestFirst


class LatestClockFirst(MemoryInstanceHistory):
    """Orders by the clocks of the servers."""

    async def list(self, instance: InstanceId) -> Sequence[StateSummary]:
        return sorted(await super().list(instance), key=lambda state: state.replaced_at, reverse=True)


class TestLatestClockFirst(MemoryContract):
    made = LatestClockFirst


class TruncatesList(MemoryInstanceHistory):
    """Lists a page."""

    async def list(self, instance: InstanceId) -> Sequence[StateSummary]:
        return (await super().list(instance))[:10]


class TestListTruncated(MemoryContract):
    made = TruncatesList


class ForgetsInstance(MemoryInstanceHistory):
    """Looks for the number alone."""

    async def get(self, instance: InstanceId, number: int) -> InstanceState | None:
        found = [states[number] for states in self._memory.states.values() if number in states]
        return found[0] if found else None


class TestInstanceForgotten(MemoryContract):
    made = ForgetsInstance


class DeletesAnywhere(MemoryInstanceHistory):
    """Deletes by the number alone."""

    async def delete(self, instance: InstanceId, number: int, *, audit: AuditEntry | None = None) -> None:
        holders = [each for each, states in self._memory.states.items() if number in states]
        await super().delete(holders[0] if holders else instance, number, audit=audit)


class TestDeletedAnywhere(MemoryContract):
    made = DeletesAnywhere


class DeletesEarlier(MemoryInstanceHistory):
    """Deletes the earlier states as well."""

    async def delete(self, instance: InstanceId, number: int, *, audit: AuditEntry | None = None) -> None:
        await super().delete(instance, number, audit=audit)
        states = self._memory.states.get(instance, {})
        self._memory.states[instance] = {key: state for key, state in states.items() if key > number}


class TestEarlierDeleted(MemoryContract):
    made = DeletesEarlier


class DeletesSilently(MemoryInstanceHistory):
    """Treats the deletion of an unknown state as done."""

    async def delete(self, instance: InstanceId, number: int, *, audit: AuditEntry | None = None) -> None:
        if await self.get(instance, number) is not None:
            await super().delete(instance, number, audit=audit)


class TestUnknownStateDeleted(MemoryContract):
    made = DeletesSilently


class AuditsAttempts(MemoryInstanceHistory):
    """Writes the entry before the deletion."""

    async def delete(self, instance: InstanceId, number: int, *, audit: AuditEntry | None = None) -> None:
        self._memory.append_audit(audit)
        await super().delete(instance, number)


class TestRefusedDeletionAudited(MemoryContract):
    made = AuditsAttempts


class WholeSeconds(MemoryInstanceHistory):
    """Has a column that stores whole seconds."""

    async def get(self, instance: InstanceId, number: int) -> InstanceState | None:
        state = await super().get(instance, number)
        return None if state is None else replace(state, replaced_at=state.replaced_at.replace(microsecond=0))


class TestTimesTruncated(MemoryContract):
    made = WholeSeconds


class KeepsOneMore(MemoryInstanceRepo):
    """Drops the oldest state too late."""

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        before = dict(self._memory.states.get(instance.id, {}))
        saved = await super().save(instance, audit=audit, replaced=replaced, skill_files=skill_files)
        kept = self._memory.states.get(instance.id, {})
        if len(kept) == MAX_STATES and len(before) >= MAX_STATES:
            dropped = max(before.keys() - kept.keys())
            self._memory.states[instance.id] = {dropped: before[dropped], **kept}
        return saved


class TestOneStateTooMany(MemoryContract):
    repo = KeepsOneMore


class CountsStates(MemoryInstanceRepo):
    """Limits the number of states only."""

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        before = dict(self._memory.states.get(instance.id, {}))
        saved = await super().save(instance, audit=audit, replaced=replaced, skill_files=skill_files)
        states = {**before, **self._memory.states.get(instance.id, {})}
        kept = sorted(states)[-MAX_STATES:]
        if states:
            self._memory.states[instance.id] = {number: states[number] for number in kept}
        return saved


class TestSizeUnlimited(MemoryContract):
    repo = CountsStates


class AddsStateFirst(MemoryInstanceRepo):
    """Stores the state in a transaction of its own."""

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        self._memory.add_state(replaced)
        return await super().save(instance, audit=audit, skill_files=skill_files)


class TestStateOfRefusedSave(MemoryContract):
    repo = AddsStateFirst


class LeavesStates(MemoryInstanceRepo):
    """Leaves the states of a deleted instance."""

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        states = dict(self._memory.states)
        await super().delete(slug, version=version, audit=audit)
        self._memory.states = states


class TestStatesLeft(MemoryContract):
    repo = LeavesStates


class DropsStatesFirst(MemoryInstanceRepo):
    """Drops the states before it knows whether the instance can be deleted."""

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        stored = self._instances.get(slug)
        if stored is not None:
            self._memory.states.pop(stored.id, None)
        await super().delete(slug, version=version, audit=audit)


class TestStatesOfRefusedDeletion(MemoryContract):
    repo = DropsStatesFirst
