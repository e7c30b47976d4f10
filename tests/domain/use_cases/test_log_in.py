from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from datetime import timedelta

import msgspec
import pytest

from polyant.domain.errors import RateLimitedError, ServerBusyError
from polyant.domain.password_queue import PasswordQueue
from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.log_in import LogIn, WrongPasswordError
from polyant.domain.use_cases.recognise_user import RecogniseUser
from polyant.domain.users import Role
from support.management import NETWORK, PASSWORD, ManagementHarness


class WatchedHasher(PasswordHasher):
    """A hasher that records the verified hashes and runs an action during each verification."""

    def __init__(self, management: ManagementHarness, act: Callable[[], Awaitable[object]] | None = None) -> None:
        self._management = management
        self._act = act
        self.checked: list[str | None] = []

    async def hash(self, password: SecretText) -> str:
        return await self._management.hasher.hash(password)

    async def verify(self, password: SecretText, hashed: str | None) -> bool:
        self.checked.append(hashed)
        good = await self._management.hasher.verify(password, hashed)
        if self._act is not None:
            await self._act()
        return good


def log_in_with(management: ManagementHarness, hasher: PasswordHasher) -> LogIn:
    return LogIn(
        users=management.users,
        sessions=management.sessions,
        passwords=PasswordQueue(hasher=hasher),
        limits=management.login_limits,
        clock=management.clock,
        tokens=management.tokens,
        session_tokens=management.session_tokens,
    )


async def test_session_lasts_twelve_hours_and_is_audited(management: ManagementHarness) -> None:
    user = await management.add_user(password=PASSWORD)
    who = await (await management.get(LogIn))(" Ada@Example.com ", SecretText(PASSWORD), network=NETWORK)
    assert (who.user, who.actor) == (user, "ada@example.com")
    assert who.session.expires_at == management.clock.now() + timedelta(hours=12)
    assert await management.audit_entries() == [("ada@example.com", "session.login", None, "ada@example.com", ())]


async def test_token_is_returned_with_its_session(management: ManagementHarness) -> None:
    await management.add_user(password=PASSWORD)
    opened = await (await management.get(LogIn))("ada@example.com", SecretText(PASSWORD), network=NETWORK)
    assert management.session_tokens.verify(opened.token) == opened.session
    recognised = await (await management.get(RecogniseUser))(opened.token)
    assert recognised is not None
    assert (recognised.user, recognised.session) == (opened.user, opened.session)


async def test_sessions_have_distinct_tokens(management: ManagementHarness) -> None:
    await management.add_user(password=PASSWORD)
    both = [
        await (await management.get(LogIn))("ada@example.com", SecretText(PASSWORD), network=NETWORK) for _ in range(2)
    ]
    assert both[0].session.token_id != both[1].session.token_id


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.com", "another password"),
        ("ada@example.com", ""),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
        ("asleep@example.com", PASSWORD),
        ("passwordless@example.com", ""),
    ],
)
async def test_failed_logins_are_alike_verify_a_hash_and_start_no_session(
    management: ManagementHarness, email: str, password: str
) -> None:
    await management.add_user(password=PASSWORD)
    await management.add_user("passwordless@example.com")
    asleep = await management.add_user("asleep@example.com", password=PASSWORD)
    await management.users.save(msgspec.structs.replace(asleep, disabled=True))
    hasher = WatchedHasher(management)
    with pytest.raises(WrongPasswordError, match="Wrong email address or password"):
        await log_in_with(management, hasher)(email, SecretText(password), network=NETWORK)
    assert len(hasher.checked) == 1
    assert management.memory.sessions == {}
    assert await management.audit_entries() == []


@pytest.mark.parametrize("change", [{"password_hash": "another"}, {"disabled": True}])
async def test_user_locked_out_after_the_password_check_gets_no_session(
    management: ManagementHarness, change: dict[str, object]
) -> None:
    user = await management.add_user(password=PASSWORD)
    hasher = WatchedHasher(management, lambda: management.users.save(msgspec.structs.replace(user, **change)))
    with pytest.raises(WrongPasswordError):
        await log_in_with(management, hasher)("ada@example.com", SecretText(PASSWORD), network=NETWORK)
    assert management.memory.sessions == {}


async def test_user_deleted_after_the_password_check_gets_no_session(management: ManagementHarness) -> None:
    user = await management.add_user(password=PASSWORD)
    hasher = WatchedHasher(management, lambda: management.users.delete(user.id))
    with pytest.raises(WrongPasswordError):
        await log_in_with(management, hasher)("ada@example.com", SecretText(PASSWORD), network=NETWORK)
    assert management.memory.sessions == {}


async def test_other_change_after_the_password_check_does_not_prevent_login(management: ManagementHarness) -> None:
    user = await management.add_user(password=PASSWORD)
    hasher = WatchedHasher(
        management, lambda: management.users.save(msgspec.structs.replace(user, role=Role.SUPERADMIN))
    )
    who = await log_in_with(management, hasher)("ada@example.com", SecretText(PASSWORD), network=NETWORK)
    assert (who.user.role, len(management.memory.sessions), len(hasher.checked)) == (Role.SUPERADMIN, 1, 1)


async def test_failures_do_not_show_the_password(management: ManagementHarness) -> None:
    await management.add_user(password=PASSWORD, role=Role.SUPERADMIN)
    with pytest.raises(WrongPasswordError) as caught:
        await (await management.get(LogIn))("ada@example.com", SecretText("a secret that is wrong"), network=NETWORK)
    assert "a secret that is wrong" not in repr(caught.value)


async def test_success_makes_the_network_known_and_failure_does_not(management: ManagementHarness) -> None:
    await management.add_user(password=PASSWORD)
    log_in = await management.get(LogIn)
    with pytest.raises(WrongPasswordError):
        await log_in("ada@example.com", SecretText("wrong"), network="elsewhere")
    await log_in("ada@example.com", SecretText(PASSWORD), network=NETWORK)
    for network, is_known in (("elsewhere", False), (NETWORK, True)):
        assert (await management.login_limits.origin_of(" ADA@example.com", network=network)).is_known is is_known


async def test_attempt_over_the_limit_verifies_nothing(management: ManagementHarness) -> None:
    hasher = WatchedHasher(management)
    log_in = log_in_with(management, hasher)
    for number in range(7):
        with pytest.raises(RateLimitedError if number >= 5 else WrongPasswordError):
            await log_in("ada@example.com", SecretText("wrong"), network=NETWORK)
    assert len(hasher.checked) == 5


async def test_attempt_that_the_server_is_too_busy_for_is_not_counted(management: ManagementHarness) -> None:
    await management.add_user(password=PASSWORD)
    log_in = await management.get(LogIn)
    with ExitStack() as stack:
        with suppress(ServerBusyError):
            while True:
                stack.enter_context(management.passwords.place(trusted=False))
        for _ in range(40):
            with pytest.raises(ServerBusyError):
                await log_in("ada@example.com", SecretText(PASSWORD), network=NETWORK)
    await log_in("ada@example.com", SecretText(PASSWORD), network=NETWORK)
