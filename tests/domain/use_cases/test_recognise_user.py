import msgspec

from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.recognise_user import LoggedIn, RecogniseUser
from polyant.domain.users import Role
from support.management import ManagementHarness
from support.sessions import session_token


async def test_user_is_as_last_stored(office: ManagementHarness) -> None:
    user = await office.add_user(role=Role.SUPERADMIN)
    token = SecretText(await office.session_of(user))
    demoted = msgspec.structs.replace(user, role=Role.USER)
    await office.add_user("other@example.com", role=Role.SUPERADMIN)
    stored = await office.users.save(demoted)
    who = await (await office.get(RecogniseUser))(token)
    assert isinstance(who, LoggedIn)
    assert (who.user, who.user.role, who.actor) == (stored, Role.USER, "ada@example.com")


async def test_nobody_is_recognised_once_the_session_has_ended_or_expired(office: ManagementHarness) -> None:
    user = await office.add_user()
    first, second = [SecretText(await office.session_of(user)) for _ in range(2)]
    session = office.session_tokens.verify(first)
    assert session is not None
    await office.sessions.end(session.token_id)
    assert await (await office.get(RecogniseUser))(first) is None
    assert await (await office.get(RecogniseUser))(second) is not None
    office.clock.advance(12 * 60 * 60)
    assert await (await office.get(RecogniseUser))(second) is None


async def test_nobody_is_recognised_who_is_gone_or_disabled(office: ManagementHarness) -> None:
    for email in ("gone@example.com", "asleep@example.com"):
        user = await office.add_user(email)
        token = SecretText(await office.session_of(user))
        if email.startswith("gone"):
            await office.users.delete(user.id)
        else:
            await office.users.save(msgspec.structs.replace(user, disabled=True))
        assert await (await office.get(RecogniseUser))(token) is None


async def test_session_of_another_user_is_worth_nothing(office: ManagementHarness) -> None:
    """However a token came to name one user and the session of another."""
    await office.open()
    assert await (await office.get(RecogniseUser))(SecretText(session_token())) is not None
    assert await (await office.get(RecogniseUser))(SecretText(session_token(sub="user-2"))) is None


async def test_forged_or_expired_token_costs_no_question_to_the_store(office: ManagementHarness) -> None:
    await office.open()
    office.memory.sessions = None  # type: ignore[assignment] # any question would fail
    for token in (session_token(secret="of somebody else, also long enough"), session_token(exp=1), "rubbish"):
        assert await (await office.get(RecogniseUser))(SecretText(token)) is None
