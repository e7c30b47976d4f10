"""The part of the UserRepo contract for the last superadmin."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from polyant.domain.errors import LastSuperadminError
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.users import Email, Role, User
from polyant.testing.contract import Contract, proves
from polyant.testing.factories import UserFactory

Removal = Callable[[UserRepo, User], Awaitable[object]]


async def _delete(repo: UserRepo, user: User) -> None:
    await repo.delete(user.id)


async def _disable(repo: UserRepo, user: User) -> User:
    return await repo.save(replace(user, disabled=True))


async def _demote(repo: UserRepo, user: User) -> User:
    return await repo.save(replace(user, role=Role.USER))


_REMOVALS: list[Removal] = [_delete, _disable, _demote]
each_removal = pytest.mark.parametrize("remove", _REMOVALS, ids=["delete", "disable", "demote"])


class LastSuperadminContract(Contract):
    """The tests that every UserRepo keeps at least one active superadmin; UserRepoContract includes them."""

    @pytest.fixture
    def user_repo(self) -> UserRepo:
        raise NotImplementedError("return an empty UserRepo")

    @proves(
        "Once there is an active superadmin, at least one always remains, even under concurrent writes.",
        "LastSuperadminError: The change would leave no active superadmin; nothing is stored.",
        "LastSuperadminError: The user is the last active superadmin; nothing is deleted.",
    )
    @each_removal
    async def test_last_active_superadmin_cannot_be_removed(self, user_repo: UserRepo, remove: Removal) -> None:
        await user_repo.add(UserFactory.build(role=Role.USER))
        await user_repo.add(UserFactory.build(role=Role.SUPERADMIN, disabled=True))
        last = await user_repo.add(UserFactory.build(role=Role.SUPERADMIN))
        with pytest.raises(LastSuperadminError):
            await remove(user_repo, last)
        assert await user_repo.get(last.id) == last

    @each_removal
    async def test_one_of_two_superadmins_can_be_removed(self, user_repo: UserRepo, remove: Removal) -> None:
        one, other = [await user_repo.add(user) for user in UserFactory.batch(2, role=Role.SUPERADMIN)]
        await remove(user_repo, one)
        with pytest.raises(LastSuperadminError):
            await remove(user_repo, other)

    async def test_last_superadmin_can_change_email_and_password(self, user_repo: UserRepo) -> None:
        last = await user_repo.add(UserFactory.build(role=Role.SUPERADMIN))
        changed = replace(last, email=Email("new@x.y"), password_hash="$new$")  # noqa: S106 - no secret
        assert await user_repo.save(changed) == replace(changed, version=2)

    async def test_users_and_disabled_superadmins_can_always_be_removed(self, user_repo: UserRepo) -> None:
        user = await user_repo.add(UserFactory.build(role=Role.USER))
        disabled = await user_repo.add(UserFactory.build(role=Role.SUPERADMIN, disabled=True))
        await _disable(user_repo, user)
        await _demote(user_repo, disabled)
        for each in (user, disabled):
            await _delete(user_repo, each)
        assert (await user_repo.list()).total == 0

    @proves("Once there is an active superadmin, at least one always remains, even under concurrent writes.")
    async def test_concurrent_removal_of_all_superadmins_leaves_one(self, user_repo: UserRepo) -> None:
        superadmins = [await user_repo.add(user) for user in UserFactory.batch(9, role=Role.SUPERADMIN)]
        removals = (_REMOVALS[number % 3](user_repo, user) for number, user in enumerate(superadmins))
        outcomes = await asyncio.gather(*removals, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [LastSuperadminError]
        assert sum(user.is_active_superadmin for user in (await user_repo.list()).users) == 1
