"""The part of the InstanceRepo contract for the audit trail."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from polyant.domain.audit import AuditEntry, AuditQuery
from polyant.domain.errors import PolyantError
from polyant.domain.instances import Slug
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.testing.contract import Contract, proves
from polyant.testing.factories import InstanceFactory

_SLUG = Slug("audited")


def entry_of(action: str) -> AuditEntry:
    """Returns an entry with a value in every field."""
    at = datetime(2026, 5, 4, 12, tzinfo=UTC)
    return AuditEntry(at=at, actor="ann@example.com", action=action, instance=_SLUG, user="bob@x.y", details=("a", "b"))


class InstanceAuditContract(Contract):
    """The tests of the audit entries that every InstanceRepo stores; InstanceRepoContract includes them."""

    @pytest.fixture
    def audit_log(self, repo: InstanceRepo) -> AuditLog:
        raise NotImplementedError("return the AuditLog of the same store as `repo`")

    @proves("Entries remain after their instance or user is deleted.")
    @proves(
        "An `audit` entry is stored in the same transaction as the change it describes, and the AuditLog"
        " of the same store lists it.",
    )
    async def test_each_change_is_stored_with_its_audit_entry(self, repo: InstanceRepo, audit_log: AuditLog) -> None:
        """The entries remain after the instance is deleted."""
        added, saved, deleted = entry_of("instance.create"), entry_of("instance.update"), entry_of("instance.delete")
        stored = await repo.add(InstanceFactory.build(slug=_SLUG), audit=added)
        await repo.save(stored, audit=saved)
        await repo.delete(_SLUG, audit=deleted)
        assert (await audit_log.list(AuditQuery())).entries == (deleted, saved, added)

    async def test_change_without_audit_entry_stores_none(self, repo: InstanceRepo, audit_log: AuditLog) -> None:
        stored = await repo.add(InstanceFactory.build())
        await repo.save(stored)
        await repo.delete(stored.slug)
        assert (await audit_log.list(AuditQuery())).total == 0

    @proves("When the change is refused, neither is stored.")
    @pytest.mark.parametrize(
        "change",
        [
            lambda repo, entry: repo.add(InstanceFactory.build(slug=_SLUG), audit=entry),
            lambda repo, entry: repo.save(InstanceFactory.build(version=1), audit=entry),
            lambda repo, entry: repo.delete(Slug("nobody"), audit=entry),
        ],
        ids=["add", "save", "delete"],
    )
    async def test_refused_change_stores_no_audit_entry(
        self,
        repo: InstanceRepo,
        audit_log: AuditLog,
        change: Callable[[InstanceRepo, AuditEntry], Awaitable[object]],
    ) -> None:
        await repo.add(InstanceFactory.build(slug=_SLUG))
        with pytest.raises(PolyantError):
            await change(repo, entry_of("instance.refused"))
        assert (await audit_log.list(AuditQuery())).total == 0

    @proves("When the change is refused, neither is stored.")
    async def test_save_of_outdated_version_stores_no_audit_entry(
        self, repo: InstanceRepo, audit_log: AuditLog
    ) -> None:
        read = await repo.add(InstanceFactory.build())
        await repo.save(replace(read, name="Theirs"))
        with pytest.raises(PolyantError):
            await repo.save(replace(read, name="Mine"), audit=entry_of("instance.update"))
        assert (await audit_log.list(AuditQuery())).total == 0
