"""Contract of the port SessionRepo."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from polyant.domain.errors import StorageUnavailableError
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.users import StoredSession, User, UserId
from polyant.testing.factories import UserFactory

_NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
_LATER = _NOW + timedelta(hours=12)
_MOMENT = timedelta(microseconds=1)


class SessionRepoContract:
    """What every SessionRepo does; a subclass gives an empty one, its UserRepo, and one that doesn't answer."""

    @pytest.fixture
    def user_repo(self) -> UserRepo:
        raise NotImplementedError("return a UserRepo that is empty")

    @pytest.fixture
    def session_repo(self, user_repo: UserRepo) -> SessionRepo:
        raise NotImplementedError("return a SessionRepo that is empty, of the same store as `user_repo`")

    @pytest.fixture
    async def ann(self, user_repo: UserRepo) -> User:
        """A stored user."""
        return await user_repo.add(UserFactory.build())

    @pytest.fixture
    async def bob(self, user_repo: UserRepo) -> User:
        """Another."""
        return await user_repo.add(UserFactory.build())

    def test_it_has_the_shape_of_the_port(self, session_repo: SessionRepo) -> None:
        assert isinstance(session_repo, SessionRepo)

    async def test_an_open_session_leads_to_its_user(self, session_repo: SessionRepo, ann: User, bob: User) -> None:
        await session_repo.add(session_of(ann, "a"), now=_NOW)
        await session_repo.add(session_of(bob, "b"), now=_NOW)
        assert await session_repo.user_of("a", now=_NOW) == ann
        assert await session_repo.user_of("b", now=_NOW) == bob

    async def test_an_unknown_session_leads_nowhere(self, session_repo: SessionRepo, ann: User) -> None:
        await session_repo.add(session_of(ann, "a"), now=_NOW)
        assert await session_repo.user_of("b", now=_NOW) is None

    async def test_the_user_is_the_one_stored_last(
        self, session_repo: SessionRepo, user_repo: UserRepo, ann: User
    ) -> None:
        await session_repo.add(session_of(ann, "a"), now=_NOW)
        saved = await user_repo.save(replace(ann, disabled=True))
        assert await session_repo.user_of("a", now=_NOW) == saved

    async def test_the_session_of_a_user_that_is_gone_leads_nowhere(
        self, session_repo: SessionRepo, user_repo: UserRepo, ann: User
    ) -> None:
        await session_repo.add(session_of(ann, "a"), now=_NOW)
        await user_repo.delete(ann.id)
        await session_repo.add(session_of(ann, "after"), now=_NOW)
        assert await session_repo.user_of("a", now=_NOW) is None
        assert await session_repo.user_of("after", now=_NOW) is None

    @pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5))])
    async def test_a_session_is_open_until_it_expires(
        self, session_repo: SessionRepo, ann: User, zone: timezone
    ) -> None:
        """In whichever time zone it is asked for."""
        await session_repo.add(session_of(ann, "a"), now=_NOW)
        assert await session_repo.user_of("a", now=(_LATER - _MOMENT).astimezone(zone)) == ann
        assert await session_repo.user_of("a", now=_LATER.astimezone(zone)) is None
        assert await session_repo.user_of("a", now=_LATER + _MOMENT) is None

    async def test_what_has_expired_is_gone_when_another_is_added(self, session_repo: SessionRepo, ann: User) -> None:
        """Not even somebody whose clock is late finds it then."""
        await session_repo.add(session_of(ann, "old"), now=_NOW)
        await session_repo.add(session_of(ann, "young", expires_at=_LATER + _MOMENT), now=_NOW)
        await session_repo.add(session_of(ann, "new", expires_at=_LATER + _MOMENT), now=_LATER)
        assert await session_repo.user_of("old", now=_NOW) is None
        assert await session_repo.user_of("young", now=_NOW) == ann
        assert await session_repo.user_of("new", now=_NOW) == ann

    async def test_end_ends_that_session_alone(self, session_repo: SessionRepo, ann: User) -> None:
        for token_id in ("a", "b"):
            await session_repo.add(session_of(ann, token_id), now=_NOW)
        await session_repo.end("a")
        assert await session_repo.user_of("a", now=_NOW) is None
        assert await session_repo.user_of("b", now=_NOW) == ann

    async def test_ending_what_is_not_there_does_nothing(self, session_repo: SessionRepo, ann: User) -> None:
        await session_repo.add(session_of(ann, "a"), now=_NOW)
        await session_repo.end("nothing")
        await session_repo.end_all(UserId("nobody"))
        assert await session_repo.user_of("a", now=_NOW) == ann

    @pytest.mark.parametrize("but", [None, "b", "other"])
    async def test_end_all_ends_all_of_a_user_but_the_one_excepted(
        self, session_repo: SessionRepo, ann: User, bob: User, but: str | None
    ) -> None:
        for token_id in ("a", "b", "c"):
            await session_repo.add(session_of(ann, token_id), now=_NOW)
        await session_repo.add(session_of(bob, "other"), now=_NOW)
        await session_repo.end_all(ann.id, but=but)
        for token_id in ("a", "b", "c"):
            assert await session_repo.user_of(token_id, now=_NOW) == (ann if token_id == but else None)
        assert await session_repo.user_of("other", now=_NOW) == bob


class SessionRepoOutageContract:
    """What a SessionRepo whose store can fail does besides; a subclass gives one whose store doesn't answer."""

    @pytest.fixture
    def unavailable(self) -> SessionRepo:
        raise NotImplementedError("return a SessionRepo whose store doesn't answer")

    @pytest.mark.parametrize(
        "ask",
        [
            lambda repo: repo.add(session_of(UserFactory.build(), "a"), now=_NOW),
            lambda repo: repo.user_of("a", now=_NOW),
            lambda repo: repo.end("a"),
            lambda repo: repo.end_all(UserId("nobody")),
        ],
        ids=["add", "user_of", "end", "end_all"],
    )
    async def test_each_method_says_when_the_store_does_not_answer(
        self, unavailable: SessionRepo, ask: Callable[[SessionRepo], Awaitable[object]]
    ) -> None:
        with pytest.raises(StorageUnavailableError):
            await ask(unavailable)


def session_of(user: User, token_id: str, *, expires_at: datetime = _LATER) -> StoredSession:
    """Returns a session of the user."""
    return StoredSession(token_id=token_id, user_id=user.id, expires_at=expires_at)
