"""Sessions in memory."""

from datetime import datetime

from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.users import StoredSession, User, UserId


class MemorySessionRepo(SessionRepo):
    """Keeps sessions in memory.

    Args:
        memory: The store that contains the users; None for a separate store.
    """

    def __init__(self, *, memory: MemoryStore | None = None) -> None:
        self._memory = memory or MemoryStore()

    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        self._memory.get_user(session.user_id, version=user_version)
        self._memory.end_sessions(lambda known: known.expires_at <= now)
        self._memory.sessions[session.token_id] = session
        self._memory.append_audit(audit)

    async def user_of(self, token_id: str, *, now: datetime) -> User | None:
        session = self._memory.sessions.get(token_id)
        if session is None or session.expires_at <= now:
            return None
        return self._memory.users.get(session.user_id)

    async def end(self, token_id: str, *, audit: AuditEntry | None = None) -> None:
        self._memory.sessions.pop(token_id, None)
        self._memory.append_audit(audit)

    async def end_all(self, user_id: UserId, *, audit: AuditEntry | None = None) -> None:
        self._memory.end_sessions(lambda known: known.user_id == user_id)
        self._memory.append_audit(audit)
