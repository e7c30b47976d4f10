"""The part of the InstanceRepo contract for `list`."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
from msgspec.structs import replace

from polyant.domain.instances import Instance, InstancePage, InstanceQuery, InstanceStatus, InstanceSummary
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretName
from polyant.testing.contract import Contract, proves
from polyant.testing.factories import InstanceFactory, SealedSecretFactory

_NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
_EVERYTHING = InstanceQuery()


class Seed(Protocol):
    """Stores instances in the way of the adapter, such as in a file."""

    async def __call__(self, *instances: Instance) -> InstanceRepo:
        """Returns an InstanceRepo with exactly these instances."""


class InstanceListingContract(Contract):
    """The tests of `list` that every InstanceRepo must pass; InstanceReadingContract includes them."""

    @pytest.fixture
    def seed(self) -> Seed:
        raise NotImplementedError("return a function that returns an InstanceRepo with exactly the given instances")

    async def test_list_is_empty_initially(self, seed: Seed) -> None:
        repo = await seed()
        assert await repo.list(_EVERYTHING) == InstancePage((), 0)

    @proves("Returns the instances that match the query, ordered by creation time, then slug.")
    async def test_list_orders_by_creation_then_slug(self, seed: Seed) -> None:
        """Slugs are ordered by code point, regardless of the database's collation."""
        slugs = ["a-b", "a.b", "a0", "a_b", "ab", "b"]
        shuffled = [
            InstanceFactory.build(slug=slug, created_at=_NOON) for slug in ("b", "a_b", "a0", "ab", "a.b", "a-b")
        ]
        first = InstanceFactory.build(slug="first", created_at=_NOON - timedelta(microseconds=1))
        last = InstanceFactory.build(slug="a-last", created_at=_NOON + timedelta(microseconds=1))
        repo = await seed(*shuffled, first, last)
        assert await slugs_of(repo, _EVERYTHING) == ["first", *slugs, "a-last"]

    async def test_list_returns_summary_of_each_instance(self, seed: Seed) -> None:
        instances = InstanceFactory.batch(5)
        repo = await seed(*instances)
        page = await repo.list(_EVERYTHING)
        versions = {shown.slug: shown.version for shown in page.instances}
        expected = [replace(each, version=versions[each.slug]) for each in instances]
        assert {shown.slug: shown for shown in page.instances} == {each.slug: summary_of(each) for each in expected}

    async def test_list_shows_whether_api_key_is_stored(self, seed: Seed) -> None:
        other = SecretName("openai_api_key")
        without = InstanceFactory.build(secrets={other: SealedSecretFactory.build(name=other, fingerprint=None)})
        repo = await seed(without)
        page = await repo.list(_EVERYTHING)
        assert [shown.has_auth_key for shown in page.instances] == [False]

    @proves("`limit` and `offset` select the page; `total` ignores them.")
    @pytest.mark.parametrize(
        ("limit", "offset", "numbers"),
        [(None, 0, [0, 1, 2, 3, 4]), (2, 0, [0, 1]), (2, 4, [4]), (None, 3, [3, 4]), (2, 9, []), (0, 0, [])],
    )
    async def test_limit_and_offset_affect_page_but_not_total(
        self, seed: Seed, limit: int | None, offset: int, numbers: list[int]
    ) -> None:
        active = [InstanceFactory.build(slug=f"n{number}", created_at=_NOON) for number in range(5)]
        repo = await seed(*active, InstanceFactory.build(status=InstanceStatus.DISABLED))
        page = await repo.list(InstanceQuery(status=InstanceStatus.ACTIVE, limit=limit, offset=offset))
        assert [shown.slug for shown in page.instances] == [f"n{number}" for number in numbers]
        assert page.total == 5

    async def test_list_by_status(self, seed: Seed) -> None:
        off = InstanceFactory.build(slug="off", status=InstanceStatus.DISABLED)
        repo = await seed(InstanceFactory.build(slug="on"), off)
        assert await slugs_of(repo, InstanceQuery(status=InstanceStatus.ACTIVE)) == ["on"]
        assert await slugs_of(repo, InstanceQuery(status=InstanceStatus.DISABLED)) == ["off"]

    @pytest.mark.parametrize("search", ["needle", "NEEDLE", "eedl"])
    @pytest.mark.parametrize(
        "field", [{"slug": "a-needle"}, {"name": "A Needle."}, {"description": "in the\nhay: needle"}]
    )
    async def test_search_matches_slug_name_and_description_ignoring_case(
        self, seed: Seed, search: str, field: dict[str, str]
    ) -> None:
        wanted = InstanceFactory.build(**plain("wanted") | field, created_at=_NOON)
        repo = await seed(InstanceFactory.build(**plain("hay")), wanted)
        page = await repo.list(InstanceQuery(search=search))
        assert [shown.created_at for shown in page.instances] == [_NOON]
        assert page.total == 1

    async def test_search_ignores_case_of_accented_letters(self, seed: Seed) -> None:
        repo = await seed(InstanceFactory.build(**plain("cafe") | {"name": "Café Жук"}))
        assert await slugs_of(repo, InstanceQuery(search="CAFÉ ж")) == ["cafe"]

    @proves("The search text is matched literally, including special characters.")
    @pytest.mark.parametrize("special", ["%", "_", "!", "\\", "'", '"', "{}", "$1", "100%_!", "\\_"])
    async def test_search_matches_special_characters_literally(self, seed: Seed, special: str) -> None:
        found = InstanceFactory.build(**plain("special") | {"description": f"has {special} in it"})
        repo = await seed(InstanceFactory.build(**plain("plain")), found)
        assert await slugs_of(repo, InstanceQuery(search=special)) == ["special"]

    async def test_search_for_nul_character_matches_nothing(self, seed: Seed) -> None:
        repo = await seed(InstanceFactory.build())
        assert await repo.list(InstanceQuery(search="\0")) == InstancePage((), 0)

    async def test_list_by_key_fingerprint(self, seed: Seed) -> None:
        instances = []
        for slug, fingerprint in [("one", "f1"), ("two", "f2"), ("three", "f2"), ("four", "f3")]:
            secret = SealedSecretFactory.build(fingerprint=fingerprint)
            instances.append(InstanceFactory.build(slug=slug, secrets={AUTH_API_KEY: secret}, created_at=_NOON))
        other = SecretName("openai_api_key")
        secrets = {other: SealedSecretFactory.build(name=other, fingerprint="f1")}
        repo = await seed(*instances, InstanceFactory.build(slug="other", secrets=secrets))
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("f1", "f3", "f9"))) == ["four", "one"]
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("f2",))) == ["three", "two"]
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("f9",))) == []

    async def test_previous_key_is_found_by_fingerprint_even_if_expired(self, seed: Seed) -> None:
        instances = []
        for slug, expires_at in [("expired", _NOON - timedelta(days=9_000)), ("valid", _NOON + timedelta(days=9_000))]:
            previous = SealedSecretFactory.build(name=PREVIOUS_AUTH_API_KEY, fingerprint="old", expires_at=expires_at)
            keys = {AUTH_API_KEY: SealedSecretFactory.build(fingerprint="new"), PREVIOUS_AUTH_API_KEY: previous}
            instances.append(InstanceFactory.build(slug=slug, secrets=keys, created_at=_NOON))
        repo = await seed(*instances)
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("old",))) == ["expired", "valid"]
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("new", "old"))) == ["expired", "valid"]

    @proves("Returns the instances that match the query, ordered by creation time, then slug.")
    async def test_list_requires_all_conditions(self, seed: Seed) -> None:
        key = {AUTH_API_KEY: SealedSecretFactory.build(fingerprint="f")}
        repo = await seed(
            InstanceFactory.build(**plain("bot-wanted"), secrets=key),
            InstanceFactory.build(**plain("bot-off"), secrets=key, status=InstanceStatus.DISABLED),
            InstanceFactory.build(**plain("bot-other")),
            InstanceFactory.build(**plain("other"), secrets=key),
        )
        query = InstanceQuery(status=InstanceStatus.ACTIVE, search="bot", key_fingerprints=("f",))
        assert await slugs_of(repo, query) == ["bot-wanted"]


async def slugs_of(repo: InstanceRepo, query: InstanceQuery) -> list[str]:
    """Returns the listed slugs in order, and asserts that the total agrees."""
    page = await repo.list(query)
    assert page.total == len(page.instances)
    return [shown.slug for shown in page.instances]


def summary_of(instance: Instance) -> InstanceSummary:
    """Returns the expected listing entry of the instance."""
    return InstanceSummary(**{field: getattr(instance, field) for field in InstanceSummary.__struct_fields__})


def plain(slug: str) -> dict[str, str]:
    """Returns texts that match only a search for the slug."""
    return {"slug": slug, "name": "Name", "description": ""}
