"""The contract of the port InstanceHistory."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from polyant.domain.audit import AuditQuery
from polyant.domain.errors import InstanceChangedError, StorageUnavailableError, UnknownInstanceError
from polyant.domain.instance_states import (
    MAX_HISTORY_BYTES,
    MAX_STATES,
    InstanceState,
    UnknownStateError,
    state_content_of,
)
from polyant.domain.instances import Instance, InstanceId
from polyant.domain.limits import TurnLimits
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.instance_history import InstanceHistory
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.prompts import MAX_SECTION_CHARACTERS, SectionKey
from polyant.testing.contract import Contract, proves
from polyant.testing.factories import InstanceFactory
from polyant.testing.instance_audit import entry_of

_NOW = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)
_NOBODY = InstanceId("0" * 32)


def state_of(instance: Instance, *, at: datetime = _NOW) -> InstanceState:
    """Returns the state that a save of the instance replaces, with a value in every field."""
    return InstanceState(
        instance=instance.id,
        number=instance.version,
        replaced_at=at,
        replaced_by="ann@example.com",
        changed=("name", "max_steps", "01-identity", "options.openai"),
        content=state_content_of(instance),
    )


class InstanceHistoryContract(Contract):
    """The tests that every InstanceHistory must pass; subclasses provide an empty one and the repos of its store."""

    @pytest.fixture
    def history(self) -> InstanceHistory:
        raise NotImplementedError("return an empty InstanceHistory")

    @pytest.fixture
    def instance_repo(self) -> InstanceRepo:
        raise NotImplementedError("return the InstanceRepo of the same store")

    @pytest.fixture
    def audit_log(self) -> AuditLog:
        raise NotImplementedError("return the AuditLog of the same store")

    @pytest.fixture
    async def instance(self, instance_repo: InstanceRepo) -> Instance:
        """A stored instance."""
        return await instance_repo.add(InstanceFactory.build())

    def test_implements_the_port(self, history: InstanceHistory) -> None:
        assert isinstance(history, InstanceHistory)

    async def test_new_instance_has_no_states(self, history: InstanceHistory, instance: Instance) -> None:
        assert list(await history.list(instance.id)) == []
        assert await history.get(instance.id, 1) is None

    @proves(
        "Returns the states of the instance without their content, the latest first; none for an unknown instance.",
        "Returns the state of the instance with that number, or None if there is none.",
    )
    async def test_unknown_instance_has_no_states(self, history: InstanceHistory) -> None:
        assert list(await history.list(_NOBODY)) == []
        assert await history.get(_NOBODY, 1) is None

    @proves(
        "A `replaced` state is added to the history of the instance, whose oldest states are dropped "
        "until `kept_states` contains all of them.",
    )
    @proves(
        "Reads and deletes the states that the InstanceRepo of the same store keeps when it saves an instance.",
        "Returns the state of the instance with that number, or None if there is none.",
    )
    async def test_save_adds_the_replaced_state(
        self, history: InstanceHistory, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        state = state_of(instance)
        await instance_repo.save(replace(instance, name="New"), replaced=state)
        assert list(await history.list(instance.id)) == [state.summary]
        assert await history.get(instance.id, state.number) == state
        assert await history.get(instance.id, state.number + 1) is None

    async def test_instance_without_optional_values_is_kept(
        self, history: InstanceHistory, instance_repo: InstanceRepo
    ) -> None:
        bare = InstanceFactory.build(
            description="", base_url=None, temperature=None, limits=TurnLimits(), options={}, sections={}
        )
        state = state_of(await instance_repo.add(bare), at=_NOW.astimezone(timezone(timedelta(hours=5))))
        await instance_repo.save(replace(bare, version=1), replaced=state)
        assert await history.get(bare.id, 1) == state

    async def test_save_without_replaced_state_adds_none(
        self, history: InstanceHistory, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        await instance_repo.save(replace(instance, name="New"))
        assert list(await history.list(instance.id)) == []

    @proves(
        "Returns the states of the instance without their content, the latest first; none for an unknown instance.",
    )
    async def test_latest_state_is_listed_first(
        self, history: InstanceHistory, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        """The order doesn't depend on the clocks of the servers that saved them."""
        saved = instance
        for minutes in (0, -1, 1):
            state = state_of(saved, at=_NOW + timedelta(minutes=minutes))
            saved = await instance_repo.save(replace(saved, name=f"Name {minutes}"), replaced=state)
        assert [state.number for state in await history.list(instance.id)] == [3, 2, 1]

    async def test_instances_have_histories_of_their_own(
        self, history: InstanceHistory, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        other = await instance_repo.add(InstanceFactory.build())
        state = state_of(other)
        await instance_repo.save(other, replaced=state)
        assert list(await history.list(instance.id)) == []
        assert await history.get(instance.id, state.number) is None
        with pytest.raises(UnknownStateError):
            await history.delete(instance.id, state.number)
        assert await history.get(other.id, state.number) == state

    @proves(
        "The same holds for the state that a save `replaced`, which the InstanceHistory of the same "
        "store lists, and for `skill_files`, which the SkillFiles of the same store reads.",
    )
    async def test_refused_save_adds_no_state(
        self, history: InstanceHistory, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        await instance_repo.save(replace(instance, name="Theirs"))
        with pytest.raises(InstanceChangedError):
            await instance_repo.save(replace(instance, name="Mine"), replaced=state_of(instance))
        unknown = InstanceFactory.build(version=1)
        with pytest.raises(UnknownInstanceError):
            await instance_repo.save(unknown, replaced=state_of(unknown))
        assert list(await history.list(instance.id)) == []
        assert list(await history.list(unknown.id)) == []

    @proves(
        "A `replaced` state is added to the history of the instance, whose oldest states are dropped "
        "until `kept_states` contains all of them.",
    )
    @proves(
        "An instance has at most `MAX_STATES` states with `MAX_HISTORY_BYTES` together; saving drops the oldest first.",
    )
    async def test_oldest_states_are_dropped_beyond_the_maximum_number(
        self, history: InstanceHistory, instance_repo: InstanceRepo
    ) -> None:
        saved = await instance_repo.add(InstanceFactory.build(sections={}, options={}, description=""))
        for _ in range(MAX_STATES + 2):
            saved = await instance_repo.save(saved, replaced=state_of(saved))
        numbers = [state.number for state in await history.list(saved.id)]
        assert numbers == list(range(MAX_STATES + 2, 2, -1))
        assert await history.get(saved.id, 2) is None

    @proves(
        "An instance has at most `MAX_STATES` states with `MAX_HISTORY_BYTES` together; saving drops the oldest first.",
    )
    async def test_oldest_states_are_dropped_beyond_the_maximum_size(
        self, history: InstanceHistory, instance_repo: InstanceRepo
    ) -> None:
        """States count with the bytes of their characters, not with the number of characters."""
        long = dict.fromkeys(SectionKey, "中" * MAX_SECTION_CHARACTERS)
        saved = await instance_repo.add(InstanceFactory.build(sections=long))
        size = state_of(saved).size
        fitting = MAX_HISTORY_BYTES // size
        assert 1 < fitting < MAX_STATES
        for _ in range(fitting + 2):
            saved = await instance_repo.save(saved, replaced=state_of(saved))
        assert [state.number for state in await history.list(saved.id)] == list(range(fitting + 2, 2, -1))

    @proves(
        "Reads and deletes the states that the InstanceRepo of the same store keeps when it saves an instance.",
        "Deletes one state; the audit entry is stored in the same transaction.",
    )
    async def test_deleted_state_is_gone(
        self, history: InstanceHistory, instance_repo: InstanceRepo, audit_log: AuditLog, instance: Instance
    ) -> None:
        first = state_of(instance)
        saved = await instance_repo.save(instance, replaced=first)
        await instance_repo.save(saved, replaced=state_of(saved))
        entry = entry_of("history.delete")
        await history.delete(instance.id, 2, audit=entry)
        assert list(await history.list(instance.id)) == [first.summary]
        assert await history.get(instance.id, 2) is None
        assert (await audit_log.list(AuditQuery())).entries == (entry,)

    @proves("UnknownStateError: The instance has no state with that number; nothing is stored.")
    async def test_state_can_be_deleted_once(
        self, history: InstanceHistory, instance_repo: InstanceRepo, audit_log: AuditLog, instance: Instance
    ) -> None:
        await instance_repo.save(instance, replaced=state_of(instance))
        await history.delete(instance.id, 1)
        with pytest.raises(UnknownStateError):
            await history.delete(instance.id, 1, audit=entry_of("history.delete"))
        assert (await audit_log.list(AuditQuery())).total == 0

    @proves("Deleting an instance deletes its states.")
    async def test_deleting_an_instance_deletes_its_states(
        self, history: InstanceHistory, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        """Not even a new instance with the same slug and id has them."""
        await instance_repo.save(instance, replaced=state_of(instance))
        await instance_repo.delete(instance.slug)
        assert list(await history.list(instance.id)) == []
        await instance_repo.add(instance)
        assert list(await history.list(instance.id)) == []

    async def test_refused_deletion_of_an_instance_keeps_its_states(
        self, history: InstanceHistory, instance_repo: InstanceRepo, instance: Instance
    ) -> None:
        await instance_repo.save(instance, replaced=state_of(instance))
        with pytest.raises(InstanceChangedError):
            await instance_repo.delete(instance.slug, version=1)
        assert len(await history.list(instance.id)) == 1


class InstanceHistoryOutageContract(Contract):
    """The additional tests for an InstanceHistory whose store can fail.

    Subclasses provide one with an unavailable store.
    """

    @pytest.fixture
    def unavailable(self) -> InstanceHistory:
        raise NotImplementedError("return an InstanceHistory whose store is unavailable")

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    @pytest.mark.parametrize(
        "operation",
        [
            lambda history: history.list(_NOBODY),
            lambda history: history.get(_NOBODY, 1),
            lambda history: history.delete(_NOBODY, 1),
        ],
        ids=["list", "get", "delete"],
    )
    async def test_each_method_reports_unavailable_store(
        self, unavailable: InstanceHistory, operation: Callable[[InstanceHistory], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await operation(unavailable)
