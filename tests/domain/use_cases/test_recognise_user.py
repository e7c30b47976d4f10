import msgspec

from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.recognise_user import LoggedIn, RecogniseUser
from polyant.domain.users import Role
from support.management import ManagementHarness
from support.sessions import session_token


async def test_user_is_as_last_stored(management: ManagementHarness) -> None:
    user = await management.add_user(role=Role.SUPERADMIN)
    token = SecretText(await management.issue_token(user))
    demoted = msgspec.structs.replace(user, role=Role.USER)
    await management.add_user("other@example.com", role=Role.SUPERADMIN)
    stored = await management.users.save(demoted)
    who = await (await management.get(RecogniseUser))(token)
    assert isinstance(who, LoggedIn)
    assert (who.user, who.user.role, who.actor) == (stored, Role.USER, "ada@example.com")


async def test_ended_or_expired_session_is_not_recognised(management: ManagementHarness) -> None:
    user = await management.add_user()
    first, second = [SecretText(await management.issue_token(user)) for _ in range(2)]
    session = management.session_tokens.verify(first)
    assert session is not None
    await management.sessions.end(session.token_id)
    assert await (await management.get(RecogniseUser))(first) is None
    assert await (await management.get(RecogniseUser))(second) is not None
    management.clock.advance(12 * 60 * 60)
    assert await (await management.get(RecogniseUser))(second) is None


async def test_deleted_or_disabled_user_is_not_recognised(management: ManagementHarness) -> None:
    for email in ("gone@example.com", "asleep@example.com"):
        user = await management.add_user(email)
        token = SecretText(await management.issue_token(user))
        if email.startswith("gone"):
            await management.users.delete(user.id)
        else:
            await management.users.save(msgspec.structs.replace(user, disabled=True))
        assert await (await management.get(RecogniseUser))(token) is None


async def test_session_of_another_user_is_invalid(management: ManagementHarness) -> None:
    """The token names one user and the session of another."""
    await management.add_default_user()
    assert await (await management.get(RecogniseUser))(SecretText(session_token())) is not None
    assert await (await management.get(RecogniseUser))(SecretText(session_token(sub="user-2"))) is None


async def test_forged_or_expired_token_needs_no_query(management: ManagementHarness) -> None:
    await management.add_default_user()
    management.memory.sessions = None  # type: ignore[assignment] # any query would fail
    for token in (session_token(secret="of somebody else, also long enough"), session_token(exp=1), "rubbish"):
        assert await (await management.get(RecogniseUser))(SecretText(token)) is None
