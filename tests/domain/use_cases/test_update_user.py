import pytest
from msgspec import UNSET

from polyant.domain.audit import Actor
from polyant.domain.errors import (
    InvalidInputError,
    LastSuperadminError,
    UnknownUserError,
    UserChangedError,
    UserExistsError,
)
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.log_in import LogIn
from polyant.domain.use_cases.update_user import UpdateUser, UserPatch
from polyant.domain.users import Role, UserId
from support.management import NETWORK, PASSWORD, ManagementHarness

BOSS = Actor("boss@example.com")


async def test_given_fields_change_and_others_stay(management: ManagementHarness) -> None:
    user = await management.add_user(password=PASSWORD)
    management.clock.advance(5)
    patch = UserPatch(email="Eve@example.com", role=Role.SUPERADMIN)
    stored = await (await management.get(UpdateUser))(user.id, patch, by=BOSS)
    assert stored == await management.users.get(user.id)
    assert (stored.email, stored.role, stored.password_hash) == (
        "eve@example.com",
        Role.SUPERADMIN,
        user.password_hash,
    )
    assert (stored.updated_at, stored.created_at) == (management.clock.now(), user.created_at)
    assert await management.audit_entries() == [
        ("boss@example.com", "user.update", None, "ada@example.com", ("email", "role"))
    ]


@pytest.mark.parametrize(
    ("patch", "ends"),
    [
        (UserPatch(disabled=True), True),
        (UserPatch(password=SecretText("another password")), True),
        (UserPatch(disabled=False), False),
        (UserPatch(role=Role.SUPERADMIN), False),
    ],
)
async def test_disabling_a_user_or_changing_the_password_ends_all_sessions(
    management: ManagementHarness, patch: UserPatch, *, ends: bool
) -> None:
    user = await management.add_user()
    await management.start_session(user)
    await (await management.get(UpdateUser))(user.id, patch, by=BOSS)
    assert (management.memory.sessions == {}) is ends


async def test_new_password_is_valid_for_login(management: ManagementHarness) -> None:
    user = await management.add_user(password=PASSWORD)
    await (await management.get(UpdateUser))(user.id, UserPatch(password=SecretText("another password")), by=BOSS)
    assert (
        await (await management.get(LogIn))(user.email, SecretText("another password"), network=NETWORK)
    ).user.id == user.id


async def test_edit_that_lost_a_race_is_applied_again(management: ManagementHarness) -> None:
    user = await management.add_user()
    management.users.races = 3
    stored = await (await management.get(UpdateUser))(user.id, UserPatch(role=Role.SUPERADMIN), by=BOSS)
    assert (stored.role, stored.version) == (Role.SUPERADMIN, 5)


async def test_edit_that_loses_every_race_is_a_conflict(management: ManagementHarness) -> None:
    user = await management.add_user()
    management.users.races = 10_000
    with pytest.raises(UserChangedError):
        await (await management.get(UpdateUser))(user.id, UserPatch(role=Role.SUPERADMIN), by=BOSS)


async def test_only_an_expected_version_is_changed(management: ManagementHarness) -> None:
    user = await management.add_user()
    with pytest.raises(UserChangedError):
        await (await management.get(UpdateUser))(user.id, UserPatch(disabled=True), by=BOSS, expected_versions={2, 3})
    assert (
        await (await management.get(UpdateUser))(user.id, UserPatch(), by=BOSS, expected_versions={1, 9})
    ).version == 2


@pytest.mark.parametrize("patch", [UserPatch(disabled=True), UserPatch(role=Role.USER)])
async def test_last_superadmin_keeps_the_role(management: ManagementHarness, patch: UserPatch) -> None:
    user = await management.add_user(role=Role.SUPERADMIN)
    with pytest.raises(LastSuperadminError):
        await (await management.get(UpdateUser))(user.id, patch, by=BOSS)
    assert await management.users.get(user.id) == user
    assert await management.audit_entries() == []


async def test_errors_are_distinguished(management: ManagementHarness) -> None:
    user, other = await management.add_user(), await management.add_user("other@example.com")
    with pytest.raises(UnknownUserError):
        await (await management.get(UpdateUser))(UserId("0" * 32), UserPatch(disabled=True), by=BOSS)
    with pytest.raises(UserExistsError):
        await (await management.get(UpdateUser))(user.id, UserPatch(email=other.email), by=BOSS)
    for patch in (UserPatch(email="nobody"), UserPatch(password=SecretText("short"))):
        with pytest.raises(InvalidInputError):
            await (await management.get(UpdateUser))(user.id, patch, by=BOSS)


def test_patch_does_not_show_the_password() -> None:
    assert "another password" not in repr(UserPatch(password=SecretText("another password"), email=UNSET))
