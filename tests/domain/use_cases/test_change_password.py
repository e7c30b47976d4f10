import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import InvalidInputError, PermissionDeniedError, UserChangedError
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.change_password import ChangePassword
from polyant.domain.use_cases.log_in import LogIn, WrongPasswordError
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.domain.use_cases.update_user import UpdateUser, UserPatch
from support.management import NETWORK, PASSWORD, ManagementHarness

NEW = "another password of mine"


@pytest.fixture
async def logged_in(management: ManagementHarness) -> LoggedIn:
    await management.add_user(password=PASSWORD)
    return await (await management.get(LogIn))("ada@example.com", SecretText(PASSWORD), network=NETWORK)


async def test_new_password_replaces_the_old_one(management: ManagementHarness, logged_in: LoggedIn) -> None:
    user = await (await management.get(ChangePassword))(logged_in, current=SecretText(PASSWORD), new=SecretText(NEW))
    assert user.version == 2
    assert (await (await management.get(LogIn))("ada@example.com", SecretText(NEW), network=NETWORK)).user == user
    with pytest.raises(WrongPasswordError):
        await (await management.get(LogIn))("ada@example.com", SecretText(PASSWORD), network=NETWORK)


async def test_other_sessions_end_and_the_current_one_stays(management: ManagementHarness, logged_in: LoggedIn) -> None:
    await management.start_session(logged_in.user)
    await (await management.get(ChangePassword))(logged_in, current=SecretText(PASSWORD), new=SecretText(NEW))
    assert set(management.memory.sessions) == {logged_in.session.token_id}


async def test_change_is_audited_without_either_password(management: ManagementHarness, logged_in: LoggedIn) -> None:
    await (await management.get(ChangePassword))(logged_in, current=SecretText(PASSWORD), new=SecretText(NEW))
    changed = ("ada@example.com", "user.update", None, "ada@example.com", ("password",))
    assert (await management.audit_entries())[-1] == changed
    assert NEW not in repr(management.memory.users)


@pytest.mark.parametrize(
    ("current", "new", "kind"),
    [
        ("wrong", NEW, PermissionDeniedError),
        (PASSWORD, "too short", InvalidInputError),
        (PASSWORD, "x" * 1_025, InvalidInputError),
    ],
)
async def test_refused_change_changes_nothing(
    management: ManagementHarness, logged_in: LoggedIn, current: str, new: str, kind: type[Exception]
) -> None:
    await management.start_session(logged_in.user)
    with pytest.raises(kind) as caught:
        await (await management.get(ChangePassword))(logged_in, current=SecretText(current), new=SecretText(new))
    assert new not in str(caught.value)
    assert await management.users.get(logged_in.user.id) == logged_in.user
    assert len(management.memory.sessions) == 2


async def test_user_locked_out_during_the_change_changes_nothing(
    management: ManagementHarness, logged_in: LoggedIn
) -> None:
    """An admin sets another password during the request."""
    await (await management.get(UpdateUser))(
        logged_in.user.id, UserPatch(password=SecretText("set by an admin")), by=CLI
    )
    with pytest.raises(UserChangedError):
        await (await management.get(ChangePassword))(logged_in, current=SecretText(PASSWORD), new=SecretText(NEW))
    assert (
        await (await management.get(LogIn))("ada@example.com", SecretText("set by an admin"), network=NETWORK)
    ).user.version == 2
