from collections.abc import Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import pytest

from polyant.adapters.memory.session_repo import MemorySessionRepo
from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.memory.user_repo import MemoryUserRepo
from polyant.domain.access import Credentials, InvalidCredentialError, InvalidSessionError, Session
from polyant.domain.errors import AuthenticationError, RateLimitedError
from polyant.domain.instances import Slug
from polyant.domain.ports.session_tokens import SessionTokens
from polyant.domain.secrets import AUTH_API_KEY, SecretText
from polyant.domain.use_cases.identify_caller import IdentifyCaller
from polyant.domain.use_cases.recognise_user import LoggedIn, RecogniseUser
from polyant.domain.users import Email, Role, StoredSession, User, UserId
from support.harness import UseCaseHarness, disabled

Identify = partial[Coroutine[Any, Any, LoggedIn | Slug]]

SESSION = Session(user_id="user-1", token_id="token-1", expires_at=datetime(2027, 1, 1, tzinfo=UTC))


class OneSession(SessionTokens):
    """Session tokens of which only one is valid."""

    def issue(self, session: Session) -> SecretText:
        return SecretText("good-session")

    def verify(self, token: SecretText) -> Session | None:
        return SESSION if token.reveal() == "good-session" else None


@pytest.fixture
async def user(memory: MemoryStore, harness: UseCaseHarness) -> User:
    now = harness.clock.now()
    user = User(
        id=UserId("user-1"), email=Email("a@b.c"), role=Role.USER, password_hash="", created_at=now, updated_at=now
    )
    session = StoredSession(token_id="token-1", user_id=user.id, expires_at=SESSION.expires_at)
    stored = await MemoryUserRepo(memory=memory).add(user)
    await MemorySessionRepo(memory=memory).add(session, user_version=stored.version, now=now)
    return stored


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def identify(memory: MemoryStore, harness: UseCaseHarness) -> Identify:
    sessions = MemorySessionRepo(memory=memory)
    recognise = RecogniseUser(session_tokens=OneSession(), sessions=sessions, clock=harness.clock)
    identify = IdentifyCaller(
        repo=harness.repo,
        cipher=harness.cipher,
        recognise=recognise,
        clock=harness.clock,
        failed_credentials=harness.failed_credentials,
    )
    return partial(identify, network="203.0.113.7")


async def test_key_of_an_active_instance_identifies_it(harness: UseCaseHarness, slug: Slug, identify: Identify) -> None:
    key = await harness.issue_key(slug)
    assert await identify(Credentials(bearer=key)) == slug
    await harness.apply_edit(slug, disabled)
    with pytest.raises(InvalidCredentialError):
        await identify(Credentials(bearer=key))


async def test_replaced_key_identifies_until_it_expires(
    harness: UseCaseHarness, slug: Slug, identify: Identify
) -> None:
    first = await harness.issue_key(slug)
    await harness.issue_key(slug, grace_seconds=60)
    assert await identify(Credentials(bearer=first)) == slug
    harness.clock.advance(60)
    with pytest.raises(InvalidCredentialError):
        await identify(Credentials(bearer=first))


async def test_key_shared_by_two_instances_is_valid(harness: UseCaseHarness, slug: Slug, identify: Identify) -> None:
    other = await harness.add_instance("other")
    for holder in (slug, other):
        await harness.set_secret(holder, AUTH_API_KEY, "sk-shared-by-two")
    assert await identify(Credentials(bearer=SecretText("sk-shared-by-two"))) in {slug, other}
    await harness.apply_edit(slug, disabled)
    assert await identify(Credentials(bearer=SecretText("sk-shared-by-two"))) == other


async def test_unreadable_key_does_not_affect_other_keys(
    harness: UseCaseHarness, slug: Slug, identify: Identify
) -> None:
    other = await harness.add_instance("other")
    for holder in (slug, other):
        await harness.set_secret(holder, AUTH_API_KEY, "sk-shared-by-two")
    stored = await harness.load(slug)
    tampered = msgspec.structs.replace(stored.secrets[AUTH_API_KEY], sealed="v1.tampered")
    await harness.repo.save(msgspec.structs.replace(stored, secrets={AUTH_API_KEY: tampered}))
    assert await identify(Credentials(bearer=SecretText("sk-shared-by-two"))) == other


async def test_session_is_valid_as_bearer_and_as_cookie(identify: Identify, user: User) -> None:
    good = SecretText("good-session")
    assert await identify(Credentials(bearer=good)) == LoggedIn(user, SESSION)
    assert await identify(Credentials(cookie=good)) == LoggedIn(user, SESSION)


async def test_ended_session_is_invalid(identify: Identify) -> None:
    with pytest.raises(InvalidCredentialError):
        await identify(Credentials(bearer=SecretText("good-session")))


async def test_invalid_bearer_overrides_a_valid_cookie(identify: Identify, user: User) -> None:
    with pytest.raises(InvalidCredentialError):
        await identify(Credentials(bearer=SecretText("bad"), cookie=SecretText("good-session")))


async def test_key_in_a_cookie_is_invalid(harness: UseCaseHarness, slug: Slug, identify: Identify) -> None:
    key = await harness.issue_key(slug)
    with pytest.raises(InvalidCredentialError):
        await identify(Credentials(cookie=key))


async def test_missing_credential_differs_from_an_invalid_one(identify: Identify) -> None:
    with pytest.raises(AuthenticationError, match="Missing authentication") as caught:
        await identify(Credentials())
    assert not isinstance(caught.value, InvalidCredentialError)


@pytest.mark.parametrize("bearer", ["wrong", "sk-mistyped", "a.b", "a.b.c.d"])
async def test_bad_bearer_that_is_no_session_token_is_an_invalid_key(identify: Identify, bearer: str) -> None:
    with pytest.raises(InvalidCredentialError, match="Invalid API key"):
        await identify(Credentials(bearer=SecretText(bearer)))


async def test_bad_session_token_and_bad_cookie_are_invalid_sessions(identify: Identify) -> None:
    for bad in (Credentials(bearer=SecretText("a.b.c")), Credentials(cookie=SecretText("wrong"))):
        with pytest.raises(InvalidSessionError, match="Invalid or expired session"):
            await identify(bad)


async def test_over_the_limit_nothing_is_looked_up(harness: UseCaseHarness, slug: Slug, identify: Identify) -> None:
    key = await harness.issue_key(slug)
    for _ in range(30):
        with pytest.raises(InvalidCredentialError):
            await identify(Credentials(bearer=SecretText("wrong")))
    harness.repo.list = None  # type: ignore[assignment,method-assign] # any look-up would fail
    for credentials in (Credentials(bearer=SecretText("wrong")), Credentials(bearer=key), Credentials(cookie=key)):
        with pytest.raises(RateLimitedError):
            await identify(credentials)
    with pytest.raises(AuthenticationError, match="Missing authentication"):
        await identify(Credentials())
