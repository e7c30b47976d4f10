"""The contracts of the port InstanceRepo for reading, and for stores that accept no changes."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from polyant.domain.errors import ReadOnlyError
from polyant.domain.instances import Instance, InstanceQuery, Slug
from polyant.domain.limits import TurnLimits
from polyant.domain.mcp_servers import McpServer
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.secrets import SecretName
from polyant.testing.contract import proves
from polyant.testing.factories import InstanceFactory
from polyant.testing.instance_listing import InstanceListingContract, Seed


class InstanceReadingContract(InstanceListingContract):
    """The tests of `get`, `list` and `changes_since` that every InstanceRepo must pass; subclasses provide `seed`."""

    @proves("Returns the instance with that slug as last stored, or None if it doesn't exist.")
    async def test_get_of_unknown_slug_returns_none(self, seed: Seed) -> None:
        repo = await seed(InstanceFactory.build())
        assert await repo.get(Slug("nobody")) is None

    async def test_get_returns_stored_instance_with_a_version(self, seed: Seed) -> None:
        instances = InstanceFactory.batch(10)
        repo = await seed(*instances)
        for instance in instances:
            found = await found_in(repo, instance.slug)
            assert found == replace(instance, version=found.version)
            assert found.version >= 1

    async def test_instance_without_optional_values_is_read(self, seed: Seed) -> None:
        bare = InstanceFactory.build(
            description="",
            base_url=None,
            temperature=None,
            sections={},
            secrets={},
            tools=(),
            limits=TurnLimits(),
            mcp_servers=(),
            options={},
        )
        repo = await seed(bare)
        found = await found_in(repo, bare.slug)
        assert found == replace(bare, version=found.version)

    async def test_tools_and_mcp_servers_are_read_in_their_order(self, seed: Seed) -> None:
        crm = McpServer(name="crm", url="https://crm.example/mcp?a=1", headers={"X-Key": SecretName("crm_token")})
        web = McpServer(name="web", url="http://localhost:9/", tools=("search", 'odd"name'))
        repo = await seed(InstanceFactory.build(slug="bot", tools=("b", "c", "a"), mcp_servers=(web, crm)))
        found = await found_in(repo, Slug("bot"))
        assert (found.tools, found.mcp_servers) == (("b", "c", "a"), (web, crm))

    async def test_times_are_read_to_the_microsecond_in_utc(self, seed: Seed) -> None:
        moment = datetime(2026, 5, 4, 3, 2, 1, 999_999, tzinfo=UTC)
        instance = InstanceFactory.build(created_at=moment, updated_at=moment.replace(microsecond=0))
        found = await found_in(await seed(instance), instance.slug)
        assert (found.created_at, found.updated_at) == (moment, moment.replace(microsecond=0))
        assert found.created_at.utcoffset() == timedelta(0)

    @proves("The result may include unchanged slugs.")
    async def test_changes_since_the_beginning_list_every_instance(self, seed: Seed) -> None:
        instances = InstanceFactory.batch(3)
        changes = await (await seed(*instances)).changes_since(0)
        assert changes.slugs >= {instance.slug for instance in instances}
        assert changes.revision > 0

    async def test_revision_stays_without_a_change(self, seed: Seed) -> None:
        repo = await seed(InstanceFactory.build())
        revision = (await repo.changes_since(0)).revision
        await repo.list(InstanceQuery())
        assert (await repo.changes_since(revision)).revision == revision


class ReadOnlyInstanceRepoContract(InstanceReadingContract):
    """The tests of an InstanceRepo whose store accepts no changes; subclasses provide `seed`."""

    @proves("Then `add`, `save` and `delete` raise ReadOnlyError.")
    @pytest.mark.parametrize(
        "change",
        [
            lambda repo, instance: repo.add(replace(instance, slug=Slug("another"))),
            lambda repo, instance: repo.save(replace(instance, name="Changed")),
            lambda repo, instance: repo.delete(instance.slug),
            lambda repo, _: repo.delete(Slug("nobody")),
        ],
        ids=["add", "save", "delete", "delete unknown"],
    )
    async def test_change_is_refused_and_changes_nothing(
        self, seed: Seed, change: Callable[[InstanceRepo, Instance], Awaitable[object]]
    ) -> None:
        repo = await seed(InstanceFactory.build(slug="bot"))
        stored = await found_in(repo, Slug("bot"))
        revision = (await repo.changes_since(0)).revision
        with pytest.raises(ReadOnlyError):
            await change(repo, stored)
        assert await repo.get(stored.slug) == stored
        assert await repo.get(Slug("another")) is None
        assert (await repo.changes_since(0)).revision == revision


async def found_in(repo: InstanceRepo, slug: Slug) -> Instance:
    """Returns the stored instance with that slug."""
    found = await repo.get(slug)
    assert found is not None
    return found
