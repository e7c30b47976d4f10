"""The contract of the port SessionRepo."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from polyant.domain.audit import AuditEntry, AuditQuery
from polyant.domain.errors import StorageUnavailableError, UnknownUserError, UserChangedError
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.users import SessionRevocation, StoredSession, User, UserId
from polyant.testing.contract import Contract, proves
from polyant.testing.factories import UserFactory

_NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
_LATER = _NOW + timedelta(hours=12)
_MOMENT = timedelta(microseconds=1)
_ENTRY = AuditEntry(at=_NOW, actor="ann@example.com", action="session.change", user="ann@example.com")


class SessionRepoContract(Contract):
    """The tests that every SessionRepo must pass.

    Subclasses provide an empty one with the UserRepo and AuditLog of its store.
    """

    @pytest.fixture
    def user_repo(self) -> UserRepo:
        raise NotImplementedError("return an empty UserRepo")

    @pytest.fixture
    def session_repo(self, user_repo: UserRepo) -> SessionRepo:
        raise NotImplementedError("return an empty SessionRepo of the same store as `user_repo`")

    @pytest.fixture
    def audit_log(self, session_repo: SessionRepo) -> AuditLog:
        raise NotImplementedError("return the AuditLog of the same store as `session_repo`")

    @pytest.fixture
    async def ann(self, user_repo: UserRepo) -> User:
        """A stored user."""
        return await user_repo.add(UserFactory.build())

    @pytest.fixture
    async def bob(self, user_repo: UserRepo) -> User:
        """Another stored user."""
        return await user_repo.add(UserFactory.build())

    def test_implements_the_port(self, session_repo: SessionRepo) -> None:
        assert isinstance(session_repo, SessionRepo)

    @proves("Stores issued sessions until they end; their users are those of the UserRepo of the same store.")
    async def test_user_of_open_session_is_found(self, session_repo: SessionRepo, ann: User, bob: User) -> None:
        await open_session(session_repo, ann, "a")
        await open_session(session_repo, bob, "b")
        assert await session_repo.user_of("a", now=_NOW) == ann
        assert await session_repo.user_of("b", now=_NOW) == bob

    @proves("Returns the user of an open session as last stored, or None if the session isn't open.")
    async def test_unknown_session_has_no_user(self, session_repo: SessionRepo, ann: User) -> None:
        await open_session(session_repo, ann, "a")
        assert await session_repo.user_of("b", now=_NOW) is None

    @proves("Returns the user of an open session as last stored, or None if the session isn't open.")
    async def test_token_ids_that_differ_little_are_told_apart(self, session_repo: SessionRepo, ann: User) -> None:
        """A store that folds or truncates ids would open the sessions of others."""
        await open_session(session_repo, ann, f"{'a' * 63}b")
        for other in (f"{'a' * 63}B", f"{'a' * 63}c", f"{'a' * 63}b ", "a" * 63):
            assert await session_repo.user_of(other, now=_NOW) is None

    @proves("Returns the user of an open session as last stored, or None if the session isn't open.")
    async def test_session_returns_last_stored_state_of_user(
        self, session_repo: SessionRepo, user_repo: UserRepo, ann: User
    ) -> None:
        await open_session(session_repo, ann, "a")
        saved = await user_repo.save(replace(ann, disabled=True))
        assert await session_repo.user_of("a", now=_NOW) == saved

    @proves("A session is open until it ends, its user is deleted, or `now` reaches its `expires_at`.")
    async def test_session_of_deleted_user_has_no_user(
        self, session_repo: SessionRepo, user_repo: UserRepo, ann: User
    ) -> None:
        await open_session(session_repo, ann, "a")
        await user_repo.delete(ann.id)
        assert await session_repo.user_of("a", now=_NOW) is None

    @proves("A session is open until it ends, its user is deleted, or `now` reaches its `expires_at`.")
    @pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5))])
    async def test_session_is_open_until_it_expires(self, session_repo: SessionRepo, ann: User, zone: timezone) -> None:
        """The time zone of `now` doesn't matter, and fractions of a second count."""
        end = _LATER + timedelta(microseconds=500_000)
        await open_session(session_repo, ann, "a", expires_at=end)
        assert await session_repo.user_of("a", now=(end - _MOMENT).astimezone(zone)) == ann
        assert await session_repo.user_of("a", now=end.astimezone(zone)) is None
        assert await session_repo.user_of("a", now=end + _MOMENT) is None

    @proves("Stores a session, which has a unique token id, and removes the sessions that had expired by `now`.")
    async def test_adding_a_session_removes_expired_sessions(
        self, session_repo: SessionRepo, ann: User, bob: User
    ) -> None:
        """Those of all users are removed, so that not even a process with a slow clock finds them afterwards."""
        await open_session(session_repo, ann, "old")
        await open_session(session_repo, bob, "somebody else's")
        await open_session(session_repo, ann, "young", expires_at=_LATER + _MOMENT)
        await open_session(session_repo, ann, "new", expires_at=_LATER + _MOMENT, now=_LATER)
        assert await session_repo.user_of("old", now=_NOW) is None
        assert await session_repo.user_of("somebody else's", now=_NOW) is None
        assert await session_repo.user_of("young", now=_NOW) == ann
        assert await session_repo.user_of("new", now=_NOW) == ann

    @proves("Ends a session; does nothing if it doesn't exist.")
    async def test_end_ends_only_that_session(self, session_repo: SessionRepo, ann: User) -> None:
        for token_id in ("a", "b"):
            await open_session(session_repo, ann, token_id)
        await session_repo.end("a")
        assert await session_repo.user_of("a", now=_NOW) is None
        assert await session_repo.user_of("b", now=_NOW) == ann

    @proves("Ends a session; does nothing if it doesn't exist.")
    async def test_ending_unknown_session_does_nothing(self, session_repo: SessionRepo, ann: User) -> None:
        await open_session(session_repo, ann, "a")
        await session_repo.end("nothing")
        await session_repo.end_all(UserId("nobody"))
        assert await session_repo.user_of("a", now=_NOW) == ann

    @proves("Ends every session of a user.")
    async def test_end_all_ends_all_sessions_of_user(self, session_repo: SessionRepo, ann: User, bob: User) -> None:
        for token_id in ("a", "b"):
            await open_session(session_repo, ann, token_id)
        await open_session(session_repo, bob, "other")
        await session_repo.end_all(ann.id)
        for token_id in ("a", "b"):
            assert await session_repo.user_of(token_id, now=_NOW) is None
        assert await session_repo.user_of("other", now=_NOW) == bob

    @proves(
        "When the change is refused, neither is stored.",
        "UnknownUserError: The user no longer exists; nothing is stored.",
        "UserChangedError: The stored user's version differs from `user_version`; nothing is stored.",
    )
    async def test_add_is_refused_for_changed_or_deleted_user(
        self, session_repo: SessionRepo, user_repo: UserRepo, audit_log: AuditLog, ann: User
    ) -> None:
        changed = await user_repo.save(replace(ann, password_hash="$other$"))  # noqa: S106 - no secret
        with pytest.raises(UserChangedError):
            await session_repo.add(session_of(ann, "a"), user_version=ann.version, now=_NOW, audit=_ENTRY)
        await user_repo.delete(ann.id)
        with pytest.raises(UnknownUserError):
            await session_repo.add(session_of(ann, "a"), user_version=changed.version, now=_NOW, audit=_ENTRY)
        assert await session_repo.user_of("a", now=_NOW) is None
        assert (await audit_log.list(AuditQuery())).total == 0

    @proves(
        "A concurrent change that ends the user's sessions either ends this session too or causes it to be refused.",
    )
    async def test_no_session_survives_concurrent_revocation(
        self, session_repo: SessionRepo, user_repo: UserRepo, ann: User
    ) -> None:
        """The order of the two doesn't matter."""
        logins = [open_session(session_repo, ann, f"session {number}") for number in range(5)]
        revocation = user_repo.save(replace(ann, disabled=True), ends=SessionRevocation())
        *outcomes, disabled = await asyncio.gather(*logins, revocation, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {type(None), UserChangedError}
        assert isinstance(disabled, User)
        for number in range(5):
            assert await session_repo.user_of(f"session {number}", now=_NOW) is None

    @proves(
        "An `audit` entry is stored in the same transaction as the change it describes, and the AuditLog"
        " of the same store lists it.",
    )
    async def test_each_change_is_stored_with_its_audit_entry(
        self, session_repo: SessionRepo, audit_log: AuditLog, ann: User
    ) -> None:
        added, ended, all_ended = [replace(_ENTRY, details=(detail,)) for detail in ("added", "ended", "all ended")]
        await session_repo.add(session_of(ann, "a"), user_version=ann.version, now=_NOW, audit=added)
        await session_repo.end("a", audit=ended)
        await session_repo.end_all(ann.id, audit=all_ended)
        assert (await audit_log.list(AuditQuery())).entries == (all_ended, ended, added)

    async def test_change_without_audit_entry_stores_none(
        self, session_repo: SessionRepo, audit_log: AuditLog, ann: User
    ) -> None:
        await open_session(session_repo, ann, "a")
        await session_repo.end("a")
        await session_repo.end_all(ann.id)
        assert (await audit_log.list(AuditQuery())).total == 0


class SessionRepoOutageContract(Contract):
    """The additional tests for a SessionRepo whose store can fail.

    Subclasses provide one with an unavailable store.
    """

    @pytest.fixture
    def unavailable(self) -> SessionRepo:
        raise NotImplementedError("return a SessionRepo whose store is unavailable")

    @proves("Each method raises StorageUnavailableError when the store is unavailable.")
    @pytest.mark.parametrize(
        "operation",
        [
            lambda repo: open_session(repo, UserFactory.build(), "a"),
            lambda repo: repo.user_of("a", now=_NOW),
            lambda repo: repo.end("a"),
            lambda repo: repo.end_all(UserId("nobody")),
        ],
        ids=["add", "user_of", "end", "end_all"],
    )
    async def test_each_method_reports_unavailable_store(
        self, unavailable: SessionRepo, operation: Callable[[SessionRepo], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await operation(unavailable)


async def open_session(
    session_repo: SessionRepo, user: User, token_id: str, *, now: datetime = _NOW, expires_at: datetime = _LATER
) -> None:
    """Stores a session of the user."""
    session = session_of(user, token_id, expires_at=expires_at)
    await session_repo.add(session, user_version=user.version, now=now)


def session_of(user: User, token_id: str, *, expires_at: datetime = _LATER) -> StoredSession:
    """Returns a session of the user."""
    return StoredSession(token_id=token_id, user_id=user.id, expires_at=expires_at)
