"""The part of the UserRepo contract for sessions that end with a change."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from polyant.domain.errors import PolyantError
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.users import Role, SessionRevocation, StoredSession, User
from polyant.testing.contract import Contract, proves
from polyant.testing.factories import UserFactory

_NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
_FIRST, _SECOND, _OTHERS = "first", "second", "somebody else's"


class SessionRevocationContract(Contract):
    """The tests of the sessions that every UserRepo ends; UserRepoContract includes them."""

    @pytest.fixture
    def user_repo(self) -> UserRepo:
        raise NotImplementedError("return an empty UserRepo")

    @pytest.fixture
    def session_repo(self, user_repo: UserRepo) -> SessionRepo:
        raise NotImplementedError("return the SessionRepo of the same store as `user_repo`")

    @pytest.fixture
    async def user(self, user_repo: UserRepo, session_repo: SessionRepo) -> User:
        """The last superadmin, with two sessions; another user has a third one."""
        user = await user_repo.add(UserFactory.build(role=Role.SUPERADMIN))
        other = await user_repo.add(UserFactory.build(role=Role.USER))
        for token_id, owner in {_FIRST: user, _SECOND: user, _OTHERS: other}.items():
            session = StoredSession(token_id=token_id, user_id=owner.id, expires_at=_NOON + timedelta(hours=1))
            await session_repo.add(session, user_version=owner.version, now=_NOON)
        return user

    @proves(
        "The sessions that `ends` selects, in the SessionRepo of the same store, end in the same "
        "transaction; without `ends`, no session ends.",
    )
    @pytest.mark.parametrize(
        ("ends", "remaining"),
        [
            (None, {_FIRST, _SECOND, _OTHERS}),
            (SessionRevocation(), {_OTHERS}),
            (SessionRevocation(keep=_SECOND), {_SECOND, _OTHERS}),
            (SessionRevocation(keep=_OTHERS), {_OTHERS}),
        ],
    )
    async def test_save_ends_selected_sessions(
        self,
        user_repo: UserRepo,
        session_repo: SessionRepo,
        user: User,
        *,
        ends: SessionRevocation | None,
        remaining: set[str],
    ) -> None:
        await user_repo.save(replace(user, password_hash="$new$"), ends=ends)  # noqa: S106 - no secret
        assert await _open_token_ids(session_repo) == remaining

    @proves(
        "The sessions that `ends` selects, in the SessionRepo of the same store, end in the same "
        "transaction; without `ends`, no session ends.",
    )
    @pytest.mark.parametrize("change", [{"disabled": True}, {"version": 7}])
    async def test_refused_save_ends_no_session(
        self, user_repo: UserRepo, session_repo: SessionRepo, user: User, change: dict[str, object]
    ) -> None:
        with pytest.raises(PolyantError):
            await user_repo.save(replace(user, **change), ends=SessionRevocation())
        assert await _open_token_ids(session_repo) == {_FIRST, _SECOND, _OTHERS}

    @proves("Deletes the user and all its sessions in the SessionRepo of the same store.")
    async def test_delete_removes_the_users_sessions(
        self, user_repo: UserRepo, session_repo: SessionRepo, user: User
    ) -> None:
        """Not even a new user with the same id inherits them."""
        await user_repo.add(UserFactory.build(role=Role.SUPERADMIN))
        await user_repo.delete(user.id)
        await user_repo.add(user)
        assert await _open_token_ids(session_repo) == {_OTHERS}


async def _open_token_ids(session_repo: SessionRepo) -> set[str]:
    token_ids = (_FIRST, _SECOND, _OTHERS)
    return {token_id for token_id in token_ids if await session_repo.user_of(token_id, now=_NOON) is not None}
