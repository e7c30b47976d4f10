"""The contract of the port InstanceRepo: reading, and writing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import ClassVar

import msgspec
import pytest
from msgspec.structs import replace

from polyant.domain.errors import (
    InstanceChangedError,
    InstanceExistsError,
    StorageUnavailableError,
    UnknownInstanceError,
)
from polyant.domain.instances import Instance, InstanceQuery, Slug
from polyant.domain.mcp_servers import McpServer
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.prompts import SectionKey
from polyant.domain.secrets import AUTH_API_KEY, SecretName
from polyant.testing.contract import Contract, proves, requires
from polyant.testing.factories import InstanceFactory, SealedSecretFactory
from polyant.testing.instance_audit import InstanceAuditContract
from polyant.testing.instance_listing import Seed, slugs_of
from polyant.testing.instance_reading import InstanceReadingContract

_NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
_EVERYTHING = InstanceQuery()


class InstanceRepoCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """The capabilities that the store of an InstanceRepo may lack."""

    writes: bool = True
    """The store accepts changes."""


class InstanceWritingContract(InstanceAuditContract):
    """The tests of changes; subclasses provide an empty InstanceRepo and the AuditLog of its store."""

    @pytest.fixture
    def repo(self) -> InstanceRepo:
        raise NotImplementedError("return an empty InstanceRepo that was never written to")

    def test_implements_the_port(self, repo: InstanceRepo) -> None:
        assert isinstance(repo, InstanceRepo)

    @proves("Stores a new instance and returns it with version 1.")
    async def test_get_returns_added_instance(self, repo: InstanceRepo) -> None:
        for instance in InstanceFactory.batch(10):
            stored = await repo.add(instance)
            assert await repo.get(instance.slug) == stored == replace(instance, version=1)

    @proves("Returns the instance with that slug as last stored, or None if it doesn't exist.")
    async def test_get_returns_last_saved_state(self, repo: InstanceRepo) -> None:
        stored = await repo.add(InstanceFactory.build())
        for number in range(3):
            stored = await repo.save(replace(stored, name=f"Name {number}"))
        assert await repo.get(stored.slug) == stored
        assert stored.name == "Name 2"

    @pytest.mark.parametrize(
        ("field", "empty"),
        [("sections", {}), ("secrets", {}), ("tools", ()), ("mcp_servers", ()), ("options", {})],
    )
    async def test_save_removes_values_that_instance_no_longer_has(
        self, repo: InstanceRepo, field: str, empty: object
    ) -> None:
        stored = await repo.add(InstanceFactory.build())
        saved = await repo.save(replace(stored, **{field: empty}))
        assert await repo.get(stored.slug) == saved
        assert not getattr(saved, field)

    async def test_tools_keep_their_order(self, repo: InstanceRepo) -> None:
        stored = await repo.add(InstanceFactory.build(tools=("b", "c", "a")))
        await repo.save(replace(stored, tools=("c", "a", "d", "b")))
        found = await repo.get(stored.slug)
        assert found is not None
        assert found.tools == ("c", "a", "d", "b")

    async def test_mcp_servers_keep_their_order_and_fields(self, repo: InstanceRepo) -> None:
        crm = McpServer(name="crm", url="https://crm.example/mcp?a=1", headers={"X-Key": SecretName("crm_token")})
        web = McpServer(name="web", url="http://localhost:9/", tools=("search", 'odd"name'))
        stored = await repo.add(InstanceFactory.build(mcp_servers=(crm, web)))
        saved = await repo.save(replace(stored, mcp_servers=(web, crm)))
        assert await repo.get(stored.slug) == saved
        assert saved.mcp_servers == (web, crm)

    @proves(
        "Stores instances atomically: fields, sections, tools and encrypted secrets change together or not at all.",
    )
    async def test_get_never_sees_partial_write(self, repo: InstanceRepo) -> None:
        stored = await repo.add(marked(InstanceFactory.build(), "start"))

        async def write() -> None:
            instance = stored
            for number in range(15):
                instance = await repo.save(marked(instance, f"state {number}"))

        writing = asyncio.create_task(write())
        while not writing.done():
            found = await repo.get(stored.slug)
            assert found is not None
            assert found == marked(found, found.name)
            await asyncio.sleep(0.001)  # without a pause, reads from memory would starve the writer's thread
        await writing

    @proves("InstanceExistsError: The slug is taken; nothing is stored.")
    async def test_add_with_taken_slug_stores_nothing(self, repo: InstanceRepo) -> None:
        stored = await repo.add(InstanceFactory.build(slug="taken"))
        with pytest.raises(InstanceExistsError):
            await repo.add(InstanceFactory.build(slug="taken"))
        assert await repo.get(Slug("taken")) == stored
        assert (await repo.list(_EVERYTHING)).total == 1

    @proves("Of several concurrent calls, exactly one succeeds.")
    async def test_exactly_one_of_concurrent_adds_succeeds(self, repo: InstanceRepo) -> None:
        rivals = InstanceFactory.batch(10, slug="wanted")
        winners = await winners_of((repo.add(rival) for rival in rivals), InstanceExistsError)
        assert [await repo.get(Slug("wanted"))] == winners

    @proves("Stores a changed instance and returns it with its version incremented.")
    async def test_save_increments_version(self, repo: InstanceRepo) -> None:
        stored = await repo.add(InstanceFactory.build())
        assert (await repo.save(stored)).version == 2

    @proves("The stored id, slug and creation time never change.")
    async def test_save_keeps_id_slug_and_creation_time(self, repo: InstanceRepo) -> None:
        stored = await repo.add(InstanceFactory.build(slug="old"))
        saved = await repo.save(replace(stored, slug=Slug("new"), created_at=_NOON, name="Changed"))
        assert saved == replace(stored, version=2, name="Changed")
        assert await repo.get(Slug("old")) == saved
        assert await repo.get(Slug("new")) is None

    async def test_save_does_not_affect_other_instances(self, repo: InstanceRepo) -> None:
        other = await repo.add(InstanceFactory.build())
        stored = await repo.add(InstanceFactory.build())
        await repo.save(replace(stored, sections={}, secrets={}, tools=()))
        assert await repo.get(other.slug) == other

    @proves("UnknownInstanceError: The instance no longer exists.")
    async def test_save_of_unknown_instance_stores_nothing(self, repo: InstanceRepo) -> None:
        instance = InstanceFactory.build(version=1)
        with pytest.raises(UnknownInstanceError):
            await repo.save(instance)
        assert await repo.get(instance.slug) is None

    async def test_save_of_deleted_instance_with_reused_slug_is_refused(self, repo: InstanceRepo) -> None:
        deleted = await repo.add(InstanceFactory.build(slug="bot"))
        await repo.delete(deleted.slug)
        successor = await repo.add(InstanceFactory.build(slug="bot"))
        with pytest.raises(UnknownInstanceError):
            await repo.save(deleted)
        assert await repo.get(Slug("bot")) == successor

    @proves(
        "InstanceChangedError: The stored version differs from `instance.version`, or the files of one "
        "of the instance's skills are neither given nor stored; nothing is stored.",
    )
    async def test_save_of_outdated_version_stores_nothing(self, repo: InstanceRepo) -> None:
        read = await repo.add(InstanceFactory.build())
        theirs = await repo.save(replace(read, name="Theirs"))
        with pytest.raises(InstanceChangedError):
            await repo.save(replace(read, name="Mine", sections={}))
        assert await repo.get(read.slug) == theirs

    @proves("Of several concurrent calls, exactly one succeeds.")
    async def test_exactly_one_of_concurrent_saves_succeeds(self, repo: InstanceRepo) -> None:
        read = await repo.add(InstanceFactory.build())
        rivals = [marked(read, f"Rival {number}") for number in range(20)]
        winners = await winners_of((repo.save(rival) for rival in rivals), InstanceChangedError)
        assert [await repo.get(read.slug)] == winners

    @proves("Deletes the instance and all its data, its history included, except its audit trail.")
    async def test_delete_removes_only_that_instance(self, repo: InstanceRepo) -> None:
        deleted, other = [await repo.add(instance) for instance in InstanceFactory.batch(2)]
        await repo.delete(deleted.slug)
        assert await repo.get(deleted.slug) is None
        assert await repo.get(other.slug) == other
        assert await slugs_of(repo, _EVERYTHING) == [other.slug]

    async def test_removed_key_is_not_found_by_fingerprint(self, repo: InstanceRepo) -> None:
        stored = await repo.add(
            InstanceFactory.build(secrets={AUTH_API_KEY: SealedSecretFactory.build(fingerprint="old")})
        )
        stored = await repo.save(replace(stored, secrets={AUTH_API_KEY: SealedSecretFactory.build(fingerprint="new")}))
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("old",))) == []
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("new",))) == [stored.slug]
        await repo.delete(stored.slug)
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("new",))) == []

    @proves("UnknownInstanceError: The instance doesn't exist.")
    async def test_delete_of_unknown_instance_is_refused(self, repo: InstanceRepo) -> None:
        with pytest.raises(UnknownInstanceError):
            await repo.delete(Slug("nobody"))

    @proves("InstanceChangedError: The stored version differs from `version`; nothing is deleted.")
    async def test_delete_with_outdated_version_is_refused(self, repo: InstanceRepo) -> None:
        read = await repo.add(InstanceFactory.build())
        stored = await repo.save(read)
        revision = (await repo.changes_since(0)).revision
        with pytest.raises(InstanceChangedError):
            await repo.delete(read.slug, version=read.version)
        with pytest.raises(UnknownInstanceError):
            await repo.delete(Slug("nobody"), version=1)
        assert await repo.get(read.slug) == stored
        assert (await repo.changes_since(0)).revision == revision
        await repo.delete(stored.slug, version=stored.version)
        assert await repo.get(read.slug) is None

    @proves("Deletes the instance and all its data, its history included, except its audit trail.")
    async def test_instance_inherits_nothing_from_deleted_one(self, repo: InstanceRepo) -> None:
        await repo.add(InstanceFactory.build(slug="bot"))
        await repo.delete(Slug("bot"))
        successor = await repo.add(InstanceFactory.build(slug="bot", sections={}, secrets={}, tools=()))
        assert await repo.get(Slug("bot")) == successor

    @proves("Revision 0 precedes the first write.")
    async def test_revision_is_0_before_first_write(self, repo: InstanceRepo) -> None:
        assert (await repo.changes_since(0)).revision == 0

    @proves("Returns the slugs added, saved or deleted after that revision, and the current revision.")
    async def test_changes_since_lists_added_saved_and_deleted_slugs(self, repo: InstanceRepo) -> None:
        saved, deleted = [await repo.add(instance) for instance in InstanceFactory.batch(2)]
        start = await repo.changes_since(0)
        assert start.slugs >= {saved.slug, deleted.slug}
        added = await repo.add(InstanceFactory.build())
        await repo.save(saved)
        await repo.delete(deleted.slug)
        changes = await repo.changes_since(start.revision)
        assert changes.slugs >= {added.slug, saved.slug, deleted.slug}
        assert (await repo.changes_since(changes.revision)).revision == changes.revision

    @proves(
        "Each write has a higher revision than every write that ended before it began, so polling with "
        "the returned revision misses no change.",
    )
    async def test_each_write_increases_revision(self, repo: InstanceRepo) -> None:
        revisions = [(await repo.changes_since(0)).revision]
        stored = await repo.add(InstanceFactory.build())
        revisions.append((await repo.changes_since(0)).revision)
        await repo.save(stored)
        revisions.append((await repo.changes_since(0)).revision)
        await repo.delete(stored.slug)
        revisions.append((await repo.changes_since(0)).revision)
        assert revisions == sorted(set(revisions))

    @proves(
        "Each write has a higher revision than every write that ended before it began, so polling with "
        "the returned revision misses no change.",
    )
    async def test_polling_changes_misses_no_write(self, repo: InstanceRepo) -> None:
        instances = InstanceFactory.batch(20)
        writing = asyncio.gather(*(repo.add(instance) for instance in instances))
        seen: set[Slug] = set()
        revision, last = 0, False
        while not last:
            last = writing.done()  # checked first, so that one more poll follows the last write
            changes = await repo.changes_since(revision)
            seen |= changes.slugs
            revision = changes.revision
            await asyncio.sleep(0)
        await writing
        assert seen >= {instance.slug for instance in instances}


class InstanceRepoContract(InstanceReadingContract, InstanceWritingContract):
    """The tests of an InstanceRepo that reads and writes; subclasses provide what InstanceWritingContract needs.

    `seed` writes through the repository. Subclasses may provide one of their own.
    """

    @pytest.fixture
    def seed(self, repo: InstanceRepo) -> Seed:
        async def seed(*instances: Instance) -> InstanceRepo:
            for instance in instances:
                await repo.add(instance)
            return repo

        return seed


class InstanceRepoOutageContract(Contract):
    """The additional tests for an InstanceRepo whose store can fail.

    Subclasses provide one with an unavailable store. One that accepts no changes denies the capability `writes`.
    """

    capabilities: ClassVar[InstanceRepoCapabilities] = InstanceRepoCapabilities()

    @pytest.fixture
    def unavailable(self) -> InstanceRepo:
        raise NotImplementedError("return an InstanceRepo whose store is unavailable")

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    @pytest.mark.parametrize(
        "operation",
        [
            lambda repo: repo.get(Slug("bot")),
            lambda repo: repo.list(_EVERYTHING),
            lambda repo: repo.changes_since(0),
        ],
        ids=["get", "list", "changes_since"],
    )
    async def test_each_read_reports_unavailable_store(
        self, unavailable: InstanceRepo, operation: Callable[[InstanceRepo], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await operation(unavailable)

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    @requires("writes")
    @pytest.mark.parametrize(
        "operation",
        [
            lambda repo: repo.add(InstanceFactory.build()),
            lambda repo: repo.save(InstanceFactory.build(version=1)),
            lambda repo: repo.delete(Slug("bot")),
        ],
        ids=["add", "save", "delete"],
    )
    async def test_each_change_reports_unavailable_store(
        self, unavailable: InstanceRepo, operation: Callable[[InstanceRepo], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await operation(unavailable)


async def winners_of(attempts: Iterable[Awaitable[Instance]], refusal: type[Exception]) -> list[Instance]:
    """Returns the results of the attempts that succeed, and asserts that the others raise `refusal`."""
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Instance, refusal}
    return [outcome for outcome in outcomes if isinstance(outcome, Instance)]


def marked(instance: Instance, mark: str) -> Instance:
    """Returns the instance with the mark in all its parts, so that a mix of two states is detected."""
    return replace(
        instance,
        name=mark,
        sections=dict.fromkeys(SectionKey, mark),
        secrets={name: replace(secret, sealed=mark) for name, secret in instance.secrets.items()},
        tools=(mark, f"{mark} too"),
        mcp_servers=tuple(replace(server, url=f"http://localhost/{mark}") for server in instance.mcp_servers),
    )
