"""The part of the InstanceRepo contract for `list`."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from polyant.domain.instances import Instance, InstancePage, InstanceQuery, InstanceStatus, InstanceSummary
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.secrets import AUTH_API_KEY, PREVIOUS_AUTH_API_KEY, SecretName
from polyant.testing.contract import Contract
from polyant.testing.factories import InstanceFactory, SealedSecretFactory

_NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
_EVERYTHING = InstanceQuery()


class InstanceListingContract(Contract):
    """The tests of `list` that every InstanceRepo must pass; InstanceRepoContract includes them."""

    @pytest.fixture
    def repo(self) -> InstanceRepo:
        raise NotImplementedError("return an empty InstanceRepo that was never written to")

    async def test_list_is_empty_initially(self, repo: InstanceRepo) -> None:
        assert await repo.list(_EVERYTHING) == InstancePage((), 0)

    async def test_list_orders_by_creation_then_slug(self, repo: InstanceRepo) -> None:
        """Slugs are ordered by code point, regardless of the database's collation."""
        slugs = ["a-b", "a.b", "a0", "a_b", "ab", "b"]
        for slug in ["b", "a_b", "a0", "ab", "a.b", "a-b"]:
            await repo.add(InstanceFactory.build(slug=slug, created_at=_NOON))
        await repo.add(InstanceFactory.build(slug="first", created_at=_NOON - timedelta(microseconds=1)))
        await repo.add(InstanceFactory.build(slug="a-last", created_at=_NOON + timedelta(microseconds=1)))
        assert await slugs_of(repo, _EVERYTHING) == ["first", *slugs, "a-last"]

    async def test_list_returns_summary_of_each_instance(self, repo: InstanceRepo) -> None:
        stored = [await repo.add(instance) for instance in InstanceFactory.batch(5)]
        page = await repo.list(_EVERYTHING)
        assert {shown.slug: shown for shown in page.instances} == {each.slug: summary_of(each) for each in stored}

    async def test_list_shows_whether_api_key_is_stored(self, repo: InstanceRepo) -> None:
        other = SecretName("openai_api_key")
        without = InstanceFactory.build(secrets={other: SealedSecretFactory.build(name=other, fingerprint=None)})
        await repo.add(without)
        page = await repo.list(_EVERYTHING)
        assert [shown.has_auth_key for shown in page.instances] == [False]

    @pytest.mark.parametrize(
        ("limit", "offset", "numbers"),
        [(None, 0, [0, 1, 2, 3, 4]), (2, 0, [0, 1]), (2, 4, [4]), (None, 3, [3, 4]), (2, 9, []), (0, 0, [])],
    )
    async def test_limit_and_offset_affect_page_but_not_total(
        self, repo: InstanceRepo, limit: int | None, offset: int, numbers: list[int]
    ) -> None:
        for number in range(5):
            await repo.add(InstanceFactory.build(slug=f"n{number}", created_at=_NOON))
        await repo.add(InstanceFactory.build(status=InstanceStatus.DISABLED))
        page = await repo.list(InstanceQuery(status=InstanceStatus.ACTIVE, limit=limit, offset=offset))
        assert [shown.slug for shown in page.instances] == [f"n{number}" for number in numbers]
        assert page.total == 5

    async def test_list_by_status(self, repo: InstanceRepo) -> None:
        await repo.add(InstanceFactory.build(slug="on"))
        await repo.add(InstanceFactory.build(slug="off", status=InstanceStatus.DISABLED))
        assert await slugs_of(repo, InstanceQuery(status=InstanceStatus.ACTIVE)) == ["on"]
        assert await slugs_of(repo, InstanceQuery(status=InstanceStatus.DISABLED)) == ["off"]

    @pytest.mark.parametrize("search", ["needle", "NEEDLE", "eedl"])
    @pytest.mark.parametrize(
        "field", [{"slug": "a-needle"}, {"name": "A Needle."}, {"description": "in the\nhay: needle"}]
    )
    async def test_search_matches_slug_name_and_description_ignoring_case(
        self, repo: InstanceRepo, search: str, field: dict[str, str]
    ) -> None:
        await repo.add(InstanceFactory.build(**plain("hay")))
        await repo.add(InstanceFactory.build(**plain("wanted") | field, created_at=_NOON))
        page = await repo.list(InstanceQuery(search=search))
        assert [shown.created_at for shown in page.instances] == [_NOON]
        assert page.total == 1

    async def test_search_ignores_case_of_accented_letters(self, repo: InstanceRepo) -> None:
        await repo.add(InstanceFactory.build(**plain("cafe") | {"name": "Café Жук"}))
        assert await slugs_of(repo, InstanceQuery(search="CAFÉ ж")) == ["cafe"]

    @pytest.mark.parametrize("special", ["%", "_", "!", "\\", "'", '"', "{}", "$1", "100%_!", "\\_"])
    async def test_search_matches_special_characters_literally(self, repo: InstanceRepo, special: str) -> None:
        await repo.add(InstanceFactory.build(**plain("plain")))
        await repo.add(InstanceFactory.build(**plain("special") | {"description": f"has {special} in it"}))
        assert await slugs_of(repo, InstanceQuery(search=special)) == ["special"]

    async def test_search_for_nul_character_matches_nothing(self, repo: InstanceRepo) -> None:
        await repo.add(InstanceFactory.build())
        assert await repo.list(InstanceQuery(search="\0")) == InstancePage((), 0)

    async def test_list_by_key_fingerprint(self, repo: InstanceRepo) -> None:
        for slug, fingerprint in [("one", "f1"), ("two", "f2"), ("three", "f2"), ("four", "f3")]:
            secret = SealedSecretFactory.build(fingerprint=fingerprint)
            await repo.add(InstanceFactory.build(slug=slug, secrets={AUTH_API_KEY: secret}, created_at=_NOON))
        other = SecretName("openai_api_key")
        secrets = {other: SealedSecretFactory.build(name=other, fingerprint="f1")}
        await repo.add(InstanceFactory.build(slug="other", secrets=secrets))
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("f1", "f3", "f9"))) == ["four", "one"]
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("f2",))) == ["three", "two"]
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("f9",))) == []

    async def test_previous_key_is_found_by_fingerprint_even_if_expired(self, repo: InstanceRepo) -> None:
        for slug, expires_at in [("expired", _NOON - timedelta(days=9_000)), ("valid", _NOON + timedelta(days=9_000))]:
            previous = SealedSecretFactory.build(name=PREVIOUS_AUTH_API_KEY, fingerprint="old", expires_at=expires_at)
            keys = {AUTH_API_KEY: SealedSecretFactory.build(fingerprint="new"), PREVIOUS_AUTH_API_KEY: previous}
            await repo.add(InstanceFactory.build(slug=slug, secrets=keys, created_at=_NOON))
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("old",))) == ["expired", "valid"]
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("new", "old"))) == ["expired", "valid"]

    async def test_removed_key_is_not_found_by_fingerprint(self, repo: InstanceRepo) -> None:
        stored = await repo.add(
            InstanceFactory.build(secrets={AUTH_API_KEY: SealedSecretFactory.build(fingerprint="old")})
        )
        stored = await repo.save(replace(stored, secrets={AUTH_API_KEY: SealedSecretFactory.build(fingerprint="new")}))
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("old",))) == []
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("new",))) == [stored.slug]
        await repo.delete(stored.slug)
        assert await slugs_of(repo, InstanceQuery(key_fingerprints=("new",))) == []

    async def test_list_requires_all_conditions(self, repo: InstanceRepo) -> None:
        key = {AUTH_API_KEY: SealedSecretFactory.build(fingerprint="f")}
        await repo.add(InstanceFactory.build(**plain("bot-wanted"), secrets=key))
        await repo.add(InstanceFactory.build(**plain("bot-off"), secrets=key, status=InstanceStatus.DISABLED))
        await repo.add(InstanceFactory.build(**plain("bot-other")))
        await repo.add(InstanceFactory.build(**plain("other"), secrets=key))
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
