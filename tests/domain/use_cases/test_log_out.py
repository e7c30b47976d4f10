import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import UnknownUserError
from polyant.domain.use_cases.log_out import LogOut
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.domain.users import UserId
from support.management import ManagementHarness


async def test_only_the_given_session_ends(management: ManagementHarness) -> None:
    user = await management.add_user()
    first, second = await management.start_session(user), await management.start_session(user)
    await (await management.get(LogOut))(LoggedIn(user, first))
    assert set(management.memory.sessions) == {second.token_id}
    assert await management.audit_entries() == [("ada@example.com", "session.logout", None, "ada@example.com", ())]


async def test_only_sessions_of_the_user_end(management: ManagementHarness) -> None:
    user, other = await management.add_user(), await management.add_user("other@example.com")
    kept = await management.start_session(other)
    for _ in range(3):
        await management.start_session(user)
    await (await management.get(LogOut)).log_out_all(user.id, by=CLI)
    assert set(management.memory.sessions) == {kept.token_id}
    assert await management.audit_entries() == [("cli", "session.logout", None, "ada@example.com", ("everywhere",))]


async def test_unknown_user_is_reported(management: ManagementHarness) -> None:
    with pytest.raises(UnknownUserError):
        await (await management.get(LogOut)).log_out_all(UserId("0" * 32), by=CLI)
