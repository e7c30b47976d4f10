import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import LastSuperadminError, UnknownUserError, UserChangedError
from polyant.domain.use_cases.delete_user import DeleteUser
from polyant.domain.users import Role, UserId
from support.management import ManagementHarness


async def test_user_is_deleted_with_all_sessions_and_audited(management: ManagementHarness) -> None:
    user = await management.add_user()
    await management.start_session(user)
    await (await management.get(DeleteUser))(user.id, by=CLI)
    assert await management.users.get(user.id) is None
    assert management.memory.sessions == {}
    assert await management.audit_entries() == [("cli", "user.delete", None, "ada@example.com", ())]


async def test_last_superadmin_and_unknown_users_are_not_deleted(management: ManagementHarness) -> None:
    user = await management.add_user(role=Role.SUPERADMIN)
    with pytest.raises(LastSuperadminError):
        await (await management.get(DeleteUser))(user.id, by=CLI)
    with pytest.raises(UnknownUserError):
        await (await management.get(DeleteUser))(UserId("0" * 32), by=CLI)
    assert await management.audit_entries() == []


async def test_only_an_expected_version_is_deleted(management: ManagementHarness) -> None:
    user = await management.add_user()
    with pytest.raises(UserChangedError):
        await (await management.get(DeleteUser))(user.id, by=CLI, expected_versions={2})
    assert await management.users.get(user.id) == user
    await (await management.get(DeleteUser))(user.id, by=CLI, expected_versions={1, 2})
    assert await management.users.get(user.id) is None
