"""The contract of the port LoginHistory."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.ports.login_history import LoginHistory
from polyant.testing.contract import Contract, proves

_NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
_LATER = _NOW + timedelta(days=30)
_MOMENT = timedelta(microseconds=1)


class LoginHistoryContract(Contract):
    """The tests that every LoginHistory must pass; subclasses provide an empty one."""

    @pytest.fixture
    def login_history(self) -> LoginHistory:
        raise NotImplementedError("return an empty LoginHistory")

    def test_implements_the_port(self, login_history: LoginHistory) -> None:
        assert isinstance(login_history, LoginHistory)

    @proves("Remembers successful logins, each for a time.")
    async def test_only_added_logins_are_contained(self, login_history: LoginHistory) -> None:
        await login_history.add("a", now=_NOW, expires_at=_LATER)
        assert await login_history.contains(["a"], now=_NOW)
        for others in (["b"], ["A"], [""], []):
            assert not await login_history.contains(others, now=_NOW)

    @proves("Remembers successful logins, each for a time.")
    async def test_long_fingerprints_are_told_apart(self, login_history: LoginHistory) -> None:
        await login_history.add("a" * 64, now=_NOW, expires_at=_LATER)
        assert await login_history.contains(["a" * 64], now=_NOW)
        for other in ("a" * 63, "a" * 63 + "b", "a" * 63 + "A"):
            assert not await login_history.contains([other], now=_NOW)

    @proves("Returns whether a login with one of the fingerprints is remembered and `now` is before its expiry.")
    async def test_one_of_several_fingerprints_is_enough(self, login_history: LoginHistory) -> None:
        await login_history.add("a", now=_NOW, expires_at=_LATER)
        assert await login_history.contains(("x", "a"), now=_NOW)
        assert not await login_history.contains(("x", "y"), now=_NOW)

    @proves(
        "Remembers a login until `expires_at`, and removes the logins that had expired by `now`.",
        "Returns whether a login with one of the fingerprints is remembered and `now` is before its expiry.",
    )
    @pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5))])
    async def test_login_is_contained_until_it_expires(self, login_history: LoginHistory, zone: timezone) -> None:
        """The time zone doesn't matter."""
        await login_history.add("a", now=_NOW, expires_at=_LATER.astimezone(zone))
        assert await login_history.contains(["a"], now=(_LATER - _MOMENT).astimezone(zone))
        assert not await login_history.contains(["a"], now=_LATER.astimezone(zone))
        assert not await login_history.contains(["a"], now=_LATER + _MOMENT)

    @proves("A login that is remembered already gets the new time.")
    async def test_login_that_is_added_again_gets_the_new_time(self, login_history: LoginHistory) -> None:
        await login_history.add("a", now=_NOW, expires_at=_NOW + timedelta(days=1))
        await login_history.add("a", now=_NOW, expires_at=_LATER)
        assert await login_history.contains(["a"], now=_LATER - _MOMENT)

    async def test_expired_login_can_be_added_again(self, login_history: LoginHistory) -> None:
        await login_history.add("a", now=_NOW, expires_at=_LATER)
        await login_history.add("a", now=_LATER, expires_at=_LATER + timedelta(days=30))
        assert await login_history.contains(["a"], now=_LATER)

    @proves("Remembers a login until `expires_at`, and removes the logins that had expired by `now`.")
    async def test_adding_a_login_removes_expired_ones(self, login_history: LoginHistory) -> None:
        """Not even a process with a slow clock finds them afterwards."""
        await login_history.add("old", now=_NOW, expires_at=_LATER)
        await login_history.add("young", now=_NOW, expires_at=_LATER + _MOMENT)
        await login_history.add("new", now=_LATER, expires_at=_LATER + timedelta(days=30))
        assert not await login_history.contains(["old"], now=_NOW)
        assert await login_history.contains(["young"], now=_NOW)
        assert await login_history.contains(["new"], now=_NOW)

    @proves("Concurrent calls all succeed.")
    async def test_concurrent_calls_all_succeed(self, login_history: LoginHistory) -> None:
        """They add the same login or different ones, and remove the same expired ones."""
        for number in range(5):
            await login_history.add(f"login {number}", now=_NOW, expires_at=_LATER)
        ends = _LATER + timedelta(days=30)
        calls = [login_history.add(f"login {number % 4}", now=_LATER, expires_at=ends) for number in range(16)]
        await asyncio.gather(*calls)
        for number in range(5):
            assert await login_history.contains([f"login {number}"], now=_NOW) is (number < 4)


class LoginHistoryOutageContract(Contract):
    """The additional tests for a LoginHistory whose store can fail.

    Subclasses provide one with an unavailable store.
    """

    @pytest.fixture
    def unavailable(self) -> LoginHistory:
        raise NotImplementedError("return a LoginHistory whose store is unavailable")

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    @pytest.mark.parametrize(
        "operation",
        [
            lambda history: history.add("a", now=_NOW, expires_at=_LATER),
            lambda history: history.contains(["a"], now=_NOW),
        ],
        ids=["add", "contains"],
    )
    async def test_each_method_reports_unavailable_store(
        self, unavailable: LoginHistory, operation: Callable[[LoginHistory], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await operation(unavailable)
