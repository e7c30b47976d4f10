"""Contract of the port UserRepo."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from polyant.domain.audit import AuditEntry, AuditQuery
from polyant.domain.errors import (
    ConflictError,
    NotFoundError,
    PolyantError,
    PreconditionFailedError,
    StorageUnavailableError,
    UnknownUserError,
    UserChangedError,
    UserExistsError,
)
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.users import Email, Role, User, UserId, UserPage
from polyant.testing.factories import UserFactory
from polyant.testing.last_superadmin import LastSuperadminContract
from polyant.testing.session_revocation import SessionRevocationContract

_NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
_ENTRY = AuditEntry(at=_NOON, actor="ann@example.com", action="user.change", user="bob@example.com", details=("role",))

Change = Callable[[UserRepo, User], Awaitable[object]]


class UserRepoContract(LastSuperadminContract, SessionRevocationContract):
    """What every UserRepo does; a subclass gives an empty one with its session repo and audit log, and one without."""

    @pytest.fixture
    def audit_log(self, user_repo: UserRepo) -> AuditLog:
        raise NotImplementedError("return the AuditLog of the store that `user_repo` writes to")

    def test_it_has_the_shape_of_the_port(self, user_repo: UserRepo) -> None:
        assert isinstance(user_repo, UserRepo)

    async def test_get_and_find_return_what_was_added(self, user_repo: UserRepo) -> None:
        for user in UserFactory.batch(10):
            stored = await user_repo.add(user)
            assert stored == replace(user, version=1)
            assert await user_repo.get(user.id) == await user_repo.find(user.email) == stored

    async def test_get_and_find_return_what_was_saved_last(self, user_repo: UserRepo) -> None:
        stored = await user_repo.add(UserFactory.build())
        changed = replace(stored, password_hash="$other$", role=Role.SUPERADMIN, disabled=True)  # noqa: S106 - no secret
        saved = await user_repo.save(changed)
        assert saved == replace(changed, version=2)
        assert await user_repo.get(stored.id) == await user_repo.find(stored.email) == saved

    async def test_who_is_not_there_is_not_found(self, user_repo: UserRepo) -> None:
        await user_repo.add(UserFactory.build())
        assert await user_repo.get(UserId("0" * 32)) is None
        assert await user_repo.find(Email("nobody@example.com")) is None

    async def test_id_and_creation_time_stay(self, user_repo: UserRepo) -> None:
        stored = await user_repo.add(UserFactory.build())
        assert await user_repo.save(replace(stored, created_at=_NOON)) == replace(stored, version=2)
        assert await user_repo.get(stored.id) == replace(stored, version=2)

    async def test_moments_are_kept_to_the_microsecond(self, user_repo: UserRepo) -> None:
        moment = _NOON + timedelta(microseconds=999_999)
        stored = await user_repo.add(UserFactory.build(created_at=moment, updated_at=_NOON))
        found = await user_repo.get(stored.id)
        assert found is not None
        assert (found.created_at, found.updated_at) == (moment, _NOON)

    async def test_a_user_can_take_another_address(self, user_repo: UserRepo) -> None:
        stored = await user_repo.add(UserFactory.build(email="old@example.com"))
        saved = await user_repo.save(replace(stored, email=Email("new@example.com")))
        assert await user_repo.find(Email("new@example.com")) == saved
        assert await user_repo.find(Email("old@example.com")) is None
        await user_repo.add(UserFactory.build(email="old@example.com"))

    async def test_list_is_ordered_by_address(self, user_repo: UserRepo) -> None:
        """In the order of the characters' codes, whatever a database thinks of the alphabet."""
        addresses = ["a+b@x.y", "a-b@x.y", "a.b@x.y", "a0@x.y", "a_b@x.y", "ab@x.y", "b@x.y"]
        for address in reversed(addresses):
            await user_repo.add(UserFactory.build(email=address))
        assert await addresses_of(user_repo) == addresses

    async def test_list_shows_each_user_as_it_is(self, user_repo: UserRepo) -> None:
        assert await user_repo.list() == UserPage((), 0)
        stored = [await user_repo.add(user) for user in UserFactory.batch(5)]
        assert {user.id: user for user in (await user_repo.list()).users} == {user.id: user for user in stored}

    @pytest.mark.parametrize("search", ["needle", "NEEDLE", "eedl", "needle@x"])
    async def test_search_finds_a_part_of_the_address_in_upper_and_lower_case(
        self, user_repo: UserRepo, search: str
    ) -> None:
        for address in ("hay@x.y", "a.needle@x.y"):
            await user_repo.add(UserFactory.build(email=address))
        assert await addresses_of(user_repo, search) == ["a.needle@x.y"]

    @pytest.mark.parametrize("special", ["%", "_", "!", "'", "{}", "$1", "_%!"])
    async def test_search_finds_special_characters_literally(self, user_repo: UserRepo, special: str) -> None:
        for address in ("plain@x.y", f"a{special}b@x.y"):
            await user_repo.add(UserFactory.build(email=address))
        assert await addresses_of(user_repo, special) == [f"a{special}b@x.y"]

    @pytest.mark.parametrize("search", ["\0", "\\", "é"])
    async def test_search_for_what_no_address_has_finds_nothing(self, user_repo: UserRepo, search: str) -> None:
        await user_repo.add(UserFactory.build())
        assert await user_repo.list(search=search) == UserPage((), 0)

    @pytest.mark.parametrize(
        ("limit", "offset", "numbers"),
        [(None, 0, [0, 1, 2]), (2, 0, [0, 1]), (2, 2, [2]), (None, 1, [1, 2]), (0, 0, [])],
    )
    async def test_limit_and_offset_cut_the_page_and_not_the_total(
        self, user_repo: UserRepo, limit: int | None, offset: int, numbers: list[int]
    ) -> None:
        for address in ("n0@x.y", "n1@x.y", "n2@x.y", "other@x.y"):
            await user_repo.add(UserFactory.build(email=address))
        page = await user_repo.list(search="n", limit=limit, offset=offset)
        assert [user.email for user in page.users] == [f"n{number}@x.y" for number in numbers]
        assert page.total == 3

    async def test_add_of_a_taken_address_stores_nothing(self, user_repo: UserRepo) -> None:
        stored = await user_repo.add(UserFactory.build(email="ann@x.y"))
        with pytest.raises(UserExistsError):
            await user_repo.add(UserFactory.build(email="ann@x.y"))
        assert (await user_repo.list()).users == (stored,)

    async def test_of_several_adds_at_once_exactly_one_succeeds(self, user_repo: UserRepo) -> None:
        rivals = UserFactory.batch(10, email="ann@x.y")
        winners = await winners_of((user_repo.add(rival) for rival in rivals), UserExistsError)
        assert [await user_repo.find(Email("ann@x.y"))] == winners

    async def test_save_with_an_address_of_another_stores_nothing(self, user_repo: UserRepo) -> None:
        other = await user_repo.add(UserFactory.build(email="ann@x.y"))
        stored = await user_repo.add(UserFactory.build())
        with pytest.raises(UserExistsError):
            await user_repo.save(replace(stored, email=Email("ann@x.y")))
        assert await user_repo.get(stored.id) == stored
        assert await user_repo.find(Email("ann@x.y")) == other

    async def test_save_of_an_unknown_user_stores_nothing(self, user_repo: UserRepo) -> None:
        user = UserFactory.build(version=1)
        with pytest.raises(UnknownUserError):
            await user_repo.save(user)
        assert await user_repo.get(user.id) is None

    async def test_save_over_a_change_of_somebody_else_stores_nothing(self, user_repo: UserRepo) -> None:
        read = await user_repo.add(UserFactory.build())
        theirs = await user_repo.save(replace(read, disabled=True))
        with pytest.raises(UserChangedError):
            await user_repo.save(read)
        assert await user_repo.get(read.id) == theirs

    async def test_of_several_saves_of_one_version_exactly_one_succeeds(self, user_repo: UserRepo) -> None:
        read = await user_repo.add(UserFactory.build())
        rivals = [replace(read, password_hash=f"$rival${number}") for number in range(10)]
        winners = await winners_of((user_repo.save(rival) for rival in rivals), UserChangedError)
        assert [await user_repo.get(read.id)] == winners

    async def test_delete_removes_the_user_and_nobody_else(self, user_repo: UserRepo) -> None:
        gone, stays = [await user_repo.add(user) for user in UserFactory.batch(2)]
        await user_repo.delete(gone.id)
        assert await user_repo.get(gone.id) is None
        assert await user_repo.find(gone.email) is None
        assert (await user_repo.list()).users == (stays,)

    async def test_delete_of_an_unknown_user_is_refused(self, user_repo: UserRepo) -> None:
        with pytest.raises(UnknownUserError):
            await user_repo.delete(UserId("0" * 32))

    async def test_only_the_version_that_is_given_is_deleted(self, user_repo: UserRepo) -> None:
        read = await user_repo.add(UserFactory.build())
        stored = await user_repo.save(read)
        with pytest.raises(UserChangedError):
            await user_repo.delete(read.id, version=read.version)
        assert await user_repo.get(read.id) == stored
        await user_repo.delete(stored.id, version=stored.version)
        assert await user_repo.get(read.id) is None

    async def test_each_change_is_stored_with_its_entry(self, user_repo: UserRepo, audit_log: AuditLog) -> None:
        added, saved, deleted = [replace(_ENTRY, action=f"user.{what}") for what in ("create", "update", "delete")]
        stored = await user_repo.add(UserFactory.build(), audit=added)
        await user_repo.save(stored, audit=saved)
        await user_repo.delete(stored.id, audit=deleted)
        assert (await audit_log.list(AuditQuery())).entries == (deleted, saved, added)

    async def test_a_change_without_an_entry_leaves_none(self, user_repo: UserRepo, audit_log: AuditLog) -> None:
        stored = await user_repo.add(UserFactory.build())
        await user_repo.save(stored)
        await user_repo.delete(stored.id)
        assert (await audit_log.list(AuditQuery())).total == 0

    @pytest.mark.parametrize(
        ("change", "refusal"),
        [
            (lambda repo, last: repo.add(UserFactory.build(email=last.email), audit=_ENTRY), ConflictError),
            (lambda repo, last: repo.save(replace(last, version=7), audit=_ENTRY), PreconditionFailedError),
            (lambda repo, last: repo.save(replace(last, disabled=True), audit=_ENTRY), ConflictError),
            (lambda repo, last: repo.save(replace(last, id=UserId("0" * 32)), audit=_ENTRY), NotFoundError),
            (lambda repo, last: repo.delete(last.id, audit=_ENTRY), ConflictError),
            (lambda repo, last: repo.delete(last.id, version=7, audit=_ENTRY), PreconditionFailedError),
            (lambda repo, _: repo.delete(UserId("0" * 32), audit=_ENTRY), NotFoundError),
        ],
        ids=["add", "save old", "save last", "save unknown", "delete last", "delete old", "delete unknown"],
    )
    async def test_a_refused_change_leaves_no_entry(
        self, user_repo: UserRepo, audit_log: AuditLog, change: Change, refusal: type[PolyantError]
    ) -> None:
        last = await user_repo.add(UserFactory.build(role=Role.SUPERADMIN))
        with pytest.raises(refusal):
            await change(user_repo, last)
        assert (await audit_log.list(AuditQuery())).total == 0
        assert (await user_repo.list()).users == (last,)


class UserRepoOutageContract:
    """What an UserRepo whose store can fail does besides; a subclass gives one whose store doesn't answer."""

    @pytest.fixture
    def unavailable(self) -> UserRepo:
        raise NotImplementedError("return an UserRepo whose store doesn't answer")

    @pytest.mark.parametrize(
        "ask",
        [
            lambda repo: repo.get(UserId("0" * 32)),
            lambda repo: repo.find(Email("ann@x.y")),
            lambda repo: repo.list(),
            lambda repo: repo.add(UserFactory.build()),
            lambda repo: repo.save(UserFactory.build(version=1)),
            lambda repo: repo.delete(UserId("0" * 32)),
        ],
        ids=["get", "find", "list", "add", "save", "delete"],
    )
    async def test_each_method_says_when_the_store_does_not_answer(
        self, unavailable: UserRepo, ask: Callable[[UserRepo], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await ask(unavailable)


async def addresses_of(user_repo: UserRepo, search: str = "") -> list[str]:
    """Returns the addresses listed, in their order; the total has to agree."""
    page = await user_repo.list(search=search)
    assert page.total == len(page.users)
    return [user.email for user in page.users]


async def winners_of(attempts: Iterable[Awaitable[User]], refusal: type[Exception]) -> list[User]:
    """Returns the results of those that succeed; the others have to be refused in just that way."""
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {User, refusal}
    return [outcome for outcome in outcomes if isinstance(outcome, User)]
