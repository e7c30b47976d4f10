import pytest

from polyant.domain.audit import CLI
from polyant.domain.errors import UnknownUserError
from polyant.domain.use_cases.log_out import LogOut
from polyant.domain.use_cases.recognise_user import LoggedIn
from polyant.domain.users import UserId
from support.management import ManagementHarness


async def test_one_session_ends_and_others_stay(office: ManagementHarness) -> None:
    user = await office.add_user()
    first, second = await office.begin(user), await office.begin(user)
    await (await office.get(LogOut))(LoggedIn(user, first))
    assert set(office.memory.sessions) == {second.token_id}
    assert await office.entries() == [("ada@example.com", "session.logout", None, "ada@example.com", ())]


async def test_all_sessions_of_a_user_end_and_nobody_else_s(office: ManagementHarness) -> None:
    user, other = await office.add_user(), await office.add_user("other@example.com")
    kept = await office.begin(other)
    for _ in range(3):
        await office.begin(user)
    await (await office.get(LogOut)).log_out_all(user.id, by=CLI)
    assert set(office.memory.sessions) == {kept.token_id}
    assert await office.entries() == [("cli", "session.logout", None, "ada@example.com", ("everywhere",))]


async def test_unknown_user_is_told_of(office: ManagementHarness) -> None:
    with pytest.raises(UnknownUserError):
        await (await office.get(LogOut)).log_out_all(UserId("0" * 32), by=CLI)
