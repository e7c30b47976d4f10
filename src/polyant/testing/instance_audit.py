"""The part of InstanceRepo's contract that is about the audit trail."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from polyant.domain.audit import AuditEntry, AuditQuery
from polyant.domain.errors import PolyantError
from polyant.domain.instances import Slug
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.testing.factories import InstanceFactory

_SLUG = Slug("audited")


def entry_of(action: str) -> AuditEntry:
    """Returns an entry that has something of everything."""
    at = datetime(2026, 5, 4, 12, tzinfo=UTC)
    return AuditEntry(at=at, actor="ann@example.com", action=action, instance=_SLUG, user="bob@x.y", details=("a", "b"))


class InstanceAuditContract:
    """What every InstanceRepo stores beside a change; its adapters run it as a part of InstanceRepoContract."""

    @pytest.fixture
    def audit_log(self, repo: InstanceRepo) -> AuditLog:
        raise NotImplementedError("return the AuditLog of the store that `repo` writes to")

    async def test_each_change_is_stored_with_its_entry(self, repo: InstanceRepo, audit_log: AuditLog) -> None:
        """The entries outlive the instance."""
        added, saved, deleted = entry_of("instance.create"), entry_of("instance.update"), entry_of("instance.delete")
        stored = await repo.add(InstanceFactory.build(slug=_SLUG), audit=added)
        await repo.save(stored, audit=saved)
        await repo.delete(_SLUG, audit=deleted)
        assert (await audit_log.list(AuditQuery())).entries == (deleted, saved, added)

    async def test_a_change_without_an_entry_leaves_none(self, repo: InstanceRepo, audit_log: AuditLog) -> None:
        stored = await repo.add(InstanceFactory.build())
        await repo.save(stored)
        await repo.delete(stored.slug)
        assert (await audit_log.list(AuditQuery())).total == 0

    @pytest.mark.parametrize(
        "change",
        [
            lambda repo, entry: repo.add(InstanceFactory.build(slug=_SLUG), audit=entry),
            lambda repo, entry: repo.save(InstanceFactory.build(version=1), audit=entry),
            lambda repo, entry: repo.delete(Slug("nobody"), audit=entry),
        ],
        ids=["add", "save", "delete"],
    )
    async def test_a_refused_change_leaves_no_entry(
        self,
        repo: InstanceRepo,
        audit_log: AuditLog,
        change: Callable[[InstanceRepo, AuditEntry], Awaitable[object]],
    ) -> None:
        await repo.add(InstanceFactory.build(slug=_SLUG))
        with pytest.raises(PolyantError):
            await change(repo, entry_of("instance.refused"))
        assert (await audit_log.list(AuditQuery())).total == 0

    async def test_a_save_over_a_change_of_somebody_else_leaves_no_entry(
        self, repo: InstanceRepo, audit_log: AuditLog
    ) -> None:
        read = await repo.add(InstanceFactory.build())
        await repo.save(replace(read, name="Theirs"))
        with pytest.raises(PolyantError):
            await repo.save(replace(read, name="Mine"), audit=entry_of("instance.update"))
        assert (await audit_log.list(AuditQuery())).total == 0
