"""Users in memory."""

import msgspec

from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import LastSuperadminError, UserExistsError
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.users import Email, SessionRevocation, User, UserId, UserPage


class MemoryUserRepo(UserRepo):
    """Keeps users in memory.

    No method awaits anything, so each one is atomic.

    Args:
        memory: The store that is shared with the sessions and the audit log; None for a separate store.
    """

    def __init__(self, *, memory: MemoryStore | None = None) -> None:
        self._memory = memory or MemoryStore()

    async def get(self, user_id: UserId) -> User | None:
        return self._memory.users.get(user_id)

    async def find(self, email: Email) -> User | None:
        return next((user for user in self._memory.users.values() if user.email == email), None)

    async def list(self, *, search: str = "", limit: int | None = None, offset: int = 0) -> UserPage:
        found = sorted(
            (user for user in self._memory.users.values() if search.lower() in user.email), key=lambda user: user.email
        )
        end = None if limit is None else offset + limit
        return UserPage(tuple(found[offset:end]), len(found))

    async def add(self, user: User, *, audit: AuditEntry | None = None) -> User:
        self._check_email_is_free(user)
        return self._put(msgspec.structs.replace(user, version=1), audit)

    async def save(self, user: User, *, ends: SessionRevocation | None = None, audit: AuditEntry | None = None) -> User:
        before = self._memory.get_user(user.id, version=user.version)
        self._check_email_is_free(user)
        if not user.is_active_superadmin:
            self._check_not_last_superadmin(before)
        stored = msgspec.structs.replace(user, created_at=before.created_at, version=user.version + 1)
        if ends is not None:
            self._memory.end_sessions(lambda session: session.user_id == user.id and session.token_id != ends.keep)
        return self._put(stored, audit)

    async def delete(self, user_id: UserId, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        self._check_not_last_superadmin(self._memory.get_user(user_id, version=version))
        del self._memory.users[user_id]
        self._memory.end_sessions(lambda session: session.user_id == user_id)
        self._memory.append_audit(audit)

    def _put(self, user: User, audit: AuditEntry | None) -> User:
        self._memory.users[user.id] = user
        self._memory.append_audit(audit)
        return user

    def _check_email_is_free(self, user: User) -> None:
        if any(user.email == other.email and user.id != other.id for other in self._memory.users.values()):
            raise UserExistsError(user.email)

    def _check_not_last_superadmin(self, user: User) -> None:
        others = (other for other in self._memory.users.values() if other.id != user.id)
        if user.is_active_superadmin and not any(other.is_active_superadmin for other in others):
            raise LastSuperadminError(user.email)
