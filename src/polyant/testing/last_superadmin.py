"""The part of UserRepo's contract that is about the last superadmin."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from polyant.domain.errors import LastSuperadminError
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.users import Email, Role, User
from polyant.testing.factories import UserFactory

Loss = Callable[[UserRepo, User], Awaitable[object]]


async def _delete(repo: UserRepo, user: User) -> None:
    await repo.delete(user.id)


async def _disable(repo: UserRepo, user: User) -> User:
    return await repo.save(replace(user, disabled=True))


async def _demote(repo: UserRepo, user: User) -> User:
    return await repo.save(replace(user, role=Role.USER))


_LOSSES: list[Loss] = [_delete, _disable, _demote]
each_loss = pytest.mark.parametrize("lose", _LOSSES, ids=["delete", "disable", "demote"])


class LastSuperadminContract:
    """How every UserRepo keeps a superadmin; its adapters run it as a part of UserRepoContract."""

    @pytest.fixture
    def user_repo(self) -> UserRepo:
        raise NotImplementedError("return a UserRepo that is empty")

    @each_loss
    async def test_the_last_active_superadmin_stays(self, user_repo: UserRepo, lose: Loss) -> None:
        await user_repo.add(UserFactory.build(role=Role.USER))
        await user_repo.add(UserFactory.build(role=Role.SUPERADMIN, disabled=True))
        last = await user_repo.add(UserFactory.build(role=Role.SUPERADMIN))
        with pytest.raises(LastSuperadminError):
            await lose(user_repo, last)
        assert await user_repo.get(last.id) == last

    @each_loss
    async def test_one_of_two_superadmins_may_go(self, user_repo: UserRepo, lose: Loss) -> None:
        one, other = [await user_repo.add(user) for user in UserFactory.batch(2, role=Role.SUPERADMIN)]
        await lose(user_repo, one)
        with pytest.raises(LastSuperadminError):
            await lose(user_repo, other)

    async def test_the_last_superadmin_may_change_in_all_other_ways(self, user_repo: UserRepo) -> None:
        last = await user_repo.add(UserFactory.build(role=Role.SUPERADMIN))
        changed = replace(last, email=Email("new@x.y"), password_hash="$new$")  # noqa: S106 - no secret
        assert await user_repo.save(changed) == replace(changed, version=2)

    async def test_users_without_power_may_go_whether_or_not_there_is_a_superadmin(self, user_repo: UserRepo) -> None:
        user = await user_repo.add(UserFactory.build(role=Role.USER))
        asleep = await user_repo.add(UserFactory.build(role=Role.SUPERADMIN, disabled=True))
        await _disable(user_repo, user)
        await _demote(user_repo, asleep)
        for each in (user, asleep):
            await _delete(user_repo, each)
        assert (await user_repo.list()).total == 0

    async def test_of_superadmins_who_all_go_at_once_one_stays(self, user_repo: UserRepo) -> None:
        superadmins = [await user_repo.add(user) for user in UserFactory.batch(9, role=Role.SUPERADMIN)]
        losses = (_LOSSES[number % 3](user_repo, user) for number, user in enumerate(superadmins))
        outcomes = await asyncio.gather(*losses, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [LastSuperadminError]
        assert sum(user.is_active_superadmin for user in (await user_repo.list()).users) == 1
