"""The contract of the port UserRepo."""

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
from polyant.testing.contract import Contract, proves
from polyant.testing.factories import UserFactory
from polyant.testing.last_superadmin import LastSuperadminContract
from polyant.testing.session_revocation import SessionRevocationContract

_NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
_ENTRY = AuditEntry(at=_NOON, actor="ann@example.com", action="user.change", user="bob@example.com", details=("role",))

Change = Callable[[UserRepo, User], Awaitable[object]]


class UserRepoContract(LastSuperadminContract, SessionRevocationContract):
    """The tests that every UserRepo must pass.

    Subclasses provide an empty one with the SessionRepo and AuditLog of its store.
    """

    @pytest.fixture
    def audit_log(self, user_repo: UserRepo) -> AuditLog:
        raise NotImplementedError("return the AuditLog of the same store as `user_repo`")

    def test_implements_the_port(self, user_repo: UserRepo) -> None:
        assert isinstance(user_repo, UserRepo)

    @proves(
        "Stores users.",
        "Returns the user with that email address, or None if it doesn't exist.",
        "Stores a new user and returns it with version 1.",
    )
    async def test_get_and_find_return_added_user(self, user_repo: UserRepo) -> None:
        for user in UserFactory.batch(10, version=7):
            stored = await user_repo.add(user)
            assert stored == replace(user, version=1)
            assert await user_repo.get(user.id) == await user_repo.find(user.email) == stored

    @proves(
        "Returns the user as last stored, or None if it doesn't exist.",
        "Stores a changed user and returns it with its version incremented.",
    )
    async def test_get_and_find_return_last_saved_state(self, user_repo: UserRepo) -> None:
        stored = await user_repo.add(UserFactory.build())
        changed = replace(stored, password_hash="$other$", role=Role.SUPERADMIN, disabled=True)  # noqa: S106 - no secret
        saved = await user_repo.save(changed)
        assert saved == replace(changed, version=2)
        assert await user_repo.get(stored.id) == await user_repo.find(stored.email) == saved

    @proves(
        "Returns the user as last stored, or None if it doesn't exist.",
        "Returns the user with that email address, or None if it doesn't exist.",
    )
    async def test_unknown_user_is_not_found(self, user_repo: UserRepo) -> None:
        await user_repo.add(UserFactory.build())
        assert await user_repo.get(UserId("0" * 32)) is None
        assert await user_repo.find(Email("nobody@example.com")) is None

    @proves("Returns the user with that email address, or None if it doesn't exist.")
    async def test_long_addresses_are_told_apart(self, user_repo: UserRepo) -> None:
        """An address has up to 320 characters."""
        addresses = [Email(f"{'a' * 64}@{'b' * 250}.{end}") for end in ("com", "con")]
        stored = [await user_repo.add(UserFactory.build(email=address)) for address in addresses]
        assert [await user_repo.find(address) for address in addresses] == stored
        assert await user_repo.find(Email(f"{'a' * 64}@{'b' * 250}")) is None

    @proves("The stored id and creation time never change.")
    async def test_save_keeps_id_and_creation_time(self, user_repo: UserRepo) -> None:
        stored = await user_repo.add(UserFactory.build())
        assert await user_repo.save(replace(stored, created_at=_NOON)) == replace(stored, version=2)
        assert await user_repo.get(stored.id) == replace(stored, version=2)

    async def test_times_are_stored_to_the_microsecond(self, user_repo: UserRepo) -> None:
        moment = _NOON + timedelta(microseconds=999_999)
        stored = await user_repo.add(UserFactory.build(created_at=moment, updated_at=_NOON))
        found = await user_repo.get(stored.id)
        assert found is not None
        assert (found.created_at, found.updated_at) == (moment, _NOON)

    async def test_user_can_change_email_address(self, user_repo: UserRepo) -> None:
        stored = await user_repo.add(UserFactory.build(email="old@example.com"))
        saved = await user_repo.save(replace(stored, email=Email("new@example.com")))
        assert await user_repo.find(Email("new@example.com")) == saved
        assert await user_repo.find(Email("old@example.com")) is None
        await user_repo.add(UserFactory.build(email="old@example.com"))

    @proves("Returns the users whose email address contains the search text, ignoring case, ordered by address.")
    async def test_list_is_ordered_by_address(self, user_repo: UserRepo) -> None:
        """Addresses are ordered by code point, regardless of the database's collation."""
        addresses = ["a+b@x.y", "a-b@x.y", "a.b@x.y", "a0@x.y", "a_b@x.y", "ab@x.y", "b@x.y"]
        for address in reversed(addresses):
            await user_repo.add(UserFactory.build(email=address))
        assert await addresses_of(user_repo) == addresses

    async def test_list_returns_users_unchanged(self, user_repo: UserRepo) -> None:
        assert await user_repo.list() == UserPage((), 0)
        stored = [await user_repo.add(user) for user in UserFactory.batch(5)]
        assert {user.id: user for user in (await user_repo.list()).users} == {user.id: user for user in stored}

    @proves("Returns the users whose email address contains the search text, ignoring case, ordered by address.")
    @pytest.mark.parametrize("search", ["needle", "NEEDLE", "eedl", "needle@x"])
    async def test_search_matches_part_of_address_ignoring_case(self, user_repo: UserRepo, search: str) -> None:
        for address in ("hay@x.y", "a.needle@x.y"):
            await user_repo.add(UserFactory.build(email=address))
        assert await addresses_of(user_repo, search) == ["a.needle@x.y"]

    @pytest.mark.parametrize("special", ["%", "_", "!", "'", "{}", "$1", "_%!"])
    async def test_search_matches_special_characters_literally(self, user_repo: UserRepo, special: str) -> None:
        for address in ("plain@x.y", f"a{special}b@x.y"):
            await user_repo.add(UserFactory.build(email=address))
        assert await addresses_of(user_repo, special) == [f"a{special}b@x.y"]

    @pytest.mark.parametrize("search", ["\0", "\\", "é"])
    async def test_search_for_invalid_characters_matches_nothing(self, user_repo: UserRepo, search: str) -> None:
        await user_repo.add(UserFactory.build())
        assert await user_repo.list(search=search) == UserPage((), 0)

    @proves("`limit` and `offset` select the page; `total` ignores them.")
    @pytest.mark.parametrize(
        ("limit", "offset", "numbers"),
        [(None, 0, [0, 1, 2]), (2, 0, [0, 1]), (2, 2, [2]), (None, 1, [1, 2]), (0, 0, [])],
    )
    async def test_limit_and_offset_affect_page_but_not_total(
        self, user_repo: UserRepo, limit: int | None, offset: int, numbers: list[int]
    ) -> None:
        for address in ("n0@x.y", "n1@x.y", "n2@x.y", "other@x.y"):
            await user_repo.add(UserFactory.build(email=address))
        page = await user_repo.list(search="n", limit=limit, offset=offset)
        assert [user.email for user in page.users] == [f"n{number}@x.y" for number in numbers]
        assert page.total == 3

    @proves("UserExistsError: The email address is taken; nothing is stored.")
    async def test_add_with_taken_address_stores_nothing(self, user_repo: UserRepo) -> None:
        stored = await user_repo.add(UserFactory.build(email="ann@x.y"))
        with pytest.raises(UserExistsError):
            await user_repo.add(UserFactory.build(email="ann@x.y"))
        assert (await user_repo.list()).users == (stored,)

    @proves("Of several concurrent calls, exactly one succeeds.")
    async def test_exactly_one_of_concurrent_adds_succeeds(self, user_repo: UserRepo) -> None:
        rivals = UserFactory.batch(10, email="ann@x.y")
        winners = await winners_of((user_repo.add(rival) for rival in rivals), UserExistsError)
        assert [await user_repo.find(Email("ann@x.y"))] == winners

    @proves("UserExistsError: Another user has the email address; nothing is stored.")
    async def test_save_with_taken_address_stores_nothing(self, user_repo: UserRepo) -> None:
        other = await user_repo.add(UserFactory.build(email="ann@x.y"))
        stored = await user_repo.add(UserFactory.build())
        with pytest.raises(UserExistsError):
            await user_repo.save(replace(stored, email=Email("ann@x.y")))
        assert await user_repo.get(stored.id) == stored
        assert await user_repo.find(Email("ann@x.y")) == other

    @proves("UnknownUserError: The user no longer exists.")
    async def test_save_of_unknown_user_stores_nothing(self, user_repo: UserRepo) -> None:
        user = UserFactory.build(version=1)
        with pytest.raises(UnknownUserError):
            await user_repo.save(user)
        assert await user_repo.get(user.id) is None

    @proves("UserChangedError: The stored version differs from `user.version`; nothing is stored.")
    async def test_save_of_outdated_version_stores_nothing(self, user_repo: UserRepo) -> None:
        read = await user_repo.add(UserFactory.build())
        theirs = await user_repo.save(replace(read, disabled=True))
        with pytest.raises(UserChangedError):
            await user_repo.save(read)
        assert await user_repo.get(read.id) == theirs

    @proves("Of several concurrent calls, exactly one succeeds.")
    async def test_exactly_one_of_concurrent_saves_succeeds(self, user_repo: UserRepo) -> None:
        read = await user_repo.add(UserFactory.build())
        rivals = [replace(read, password_hash=f"$rival${number}") for number in range(10)]
        winners = await winners_of((user_repo.save(rival) for rival in rivals), UserChangedError)
        assert [await user_repo.get(read.id)] == winners

    @proves("Deletes the user and all its sessions in the SessionRepo of the same store.")
    async def test_delete_removes_only_that_user(self, user_repo: UserRepo) -> None:
        deleted, other = [await user_repo.add(user) for user in UserFactory.batch(2)]
        await user_repo.delete(deleted.id)
        assert await user_repo.get(deleted.id) is None
        assert await user_repo.find(deleted.email) is None
        assert (await user_repo.list()).users == (other,)

    @proves("UnknownUserError: The user doesn't exist.")
    async def test_delete_of_unknown_user_is_refused(self, user_repo: UserRepo) -> None:
        with pytest.raises(UnknownUserError):
            await user_repo.delete(UserId("0" * 32))

    @proves("UserChangedError: The stored version differs from `version`; nothing is deleted.")
    async def test_delete_with_outdated_version_is_refused(self, user_repo: UserRepo) -> None:
        read = await user_repo.add(UserFactory.build())
        stored = await user_repo.save(read)
        with pytest.raises(UserChangedError):
            await user_repo.delete(read.id, version=read.version)
        assert await user_repo.get(read.id) == stored
        await user_repo.delete(stored.id, version=stored.version)
        assert await user_repo.get(read.id) is None

    @proves(
        "An `audit` entry is stored in the same transaction as the change it describes, and the AuditLog"
        " of the same store lists it.",
    )
    async def test_each_change_is_stored_with_its_audit_entry(self, user_repo: UserRepo, audit_log: AuditLog) -> None:
        added, saved, deleted = [replace(_ENTRY, action=f"user.{verb}") for verb in ("create", "update", "delete")]
        stored = await user_repo.add(UserFactory.build(), audit=added)
        await user_repo.save(stored, audit=saved)
        await user_repo.delete(stored.id, audit=deleted)
        assert (await audit_log.list(AuditQuery())).entries == (deleted, saved, added)

    async def test_change_without_audit_entry_stores_none(self, user_repo: UserRepo, audit_log: AuditLog) -> None:
        stored = await user_repo.add(UserFactory.build())
        await user_repo.save(stored)
        await user_repo.delete(stored.id)
        assert (await audit_log.list(AuditQuery())).total == 0

    @proves("When the change is refused, neither is stored.")
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
    async def test_refused_change_stores_no_audit_entry(
        self, user_repo: UserRepo, audit_log: AuditLog, change: Change, refusal: type[PolyantError]
    ) -> None:
        last = await user_repo.add(UserFactory.build(role=Role.SUPERADMIN))
        with pytest.raises(refusal):
            await change(user_repo, last)
        assert (await audit_log.list(AuditQuery())).total == 0
        assert (await user_repo.list()).users == (last,)


class UserRepoOutageContract(Contract):
    """The additional tests for a UserRepo whose store can fail; subclasses provide one with an unavailable store."""

    @pytest.fixture
    def unavailable(self) -> UserRepo:
        raise NotImplementedError("return a UserRepo whose store is unavailable")

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    @pytest.mark.parametrize(
        "operation",
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
    async def test_each_method_reports_unavailable_store(
        self, unavailable: UserRepo, operation: Callable[[UserRepo], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await operation(unavailable)


async def addresses_of(user_repo: UserRepo, search: str = "") -> list[str]:
    """Returns the listed email addresses in order, and asserts that the total agrees."""
    page = await user_repo.list(search=search)
    assert page.total == len(page.users)
    return [user.email for user in page.users]


async def winners_of(attempts: Iterable[Awaitable[User]], refusal: type[Exception]) -> list[User]:
    """Returns the results of the attempts that succeed, and asserts that the others raise `refusal`."""
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {User, refusal}
    return [outcome for outcome in outcomes if isinstance(outcome, User)]
