"""Session repositories that each break one promise."""

import asyncio
from datetime import datetime

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.session_repo import MemorySessionRepo
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.audit import AuditEntry
from polyant.domain.users import StoredSession, User, UserId
from polyant.testing.session_repo import SessionRepoContract
from support.stores import InMemory


class MemoryContract(InMemory, SessionRepoContract):
    repo: type[MemorySessionRepo]

    @pytest.fixture
    def session_repo(self, memory: MemoryStore) -> MemorySessionRepo:
        return self.repo(memory=memory)


class IgnoresVersion(MemorySessionRepo):
    """Lets a login pass that began before the password changed."""

    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        version = self._memory.get_user(session.user_id, version=None).version
        await super().add(session, user_version=version, now=now, audit=audit)


class TestVersionIgnored(MemoryContract):
    repo = IgnoresVersion


class ChecksThenStores(MemorySessionRepo):
    """Reads the user's version in one query, and stores the session in the next."""

    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        self._memory.get_user(session.user_id, version=user_version)
        await asyncio.sleep(0)
        version = self._memory.get_user(session.user_id, version=None).version
        await super().add(session, user_version=version, now=now, audit=audit)


class TestNotAtomic(MemoryContract):
    repo = ChecksThenStores


class CopiesUsers(MemorySessionRepo):
    """Stores a copy of the user with the session."""

    def __init__(self, *, memory: MemoryStore) -> None:
        super().__init__(memory=memory)
        self._users: dict[str, User] = {}

    async def user_of(self, token_id: str, *, now: datetime) -> User | None:
        user = await super().user_of(token_id, now=now)
        return None if user is None else self._users.setdefault(token_id, user)

    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        await super().add(session, user_version=user_version, now=now, audit=audit)
        self._users[session.token_id] = self._memory.users[session.user_id]


class TestUserCopied(MemoryContract):
    repo = CopiesUsers


class OpenAtExpiry(MemorySessionRepo):
    """Compares with <= instead of <."""

    async def user_of(self, token_id: str, *, now: datetime) -> User | None:
        session = self._memory.sessions.get(token_id)
        return self._memory.users.get(session.user_id) if session is not None and now <= session.expires_at else None


class TestOpenAtExpiry(MemoryContract):
    repo = OpenAtExpiry


class TruncatesExpiry(MemorySessionRepo):
    """Has a column that stores whole seconds."""

    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        whole = replace(session, expires_at=session.expires_at.replace(microsecond=0))
        await super().add(whole, user_version=user_version, now=now, audit=audit)


class TestExpiryTruncated(MemoryContract):
    repo = TruncatesExpiry


class IgnoresTimeZones(MemorySessionRepo):
    """Compares the digits of times."""

    async def user_of(self, token_id: str, *, now: datetime) -> User | None:
        session = self._memory.sessions.get(token_id)
        if session is None or session.expires_at.replace(tzinfo=None) <= now.replace(tzinfo=None):
            return None
        return self._memory.users.get(session.user_id)


class TestTimeZonesIgnored(MemoryContract):
    repo = IgnoresTimeZones


class RemovesOwnExpired(MemorySessionRepo):
    """Removes only the user's own expired sessions."""

    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        others = {key: each for key, each in self._memory.sessions.items() if each.user_id != session.user_id}
        await super().add(session, user_version=user_version, now=now, audit=audit)
        self._memory.sessions |= others


class TestExpiredSessionsOfOthersStay(MemoryContract):
    repo = RemovesOwnExpired


class FoldsTokens(MemorySessionRepo):
    """Has a column that ignores case."""

    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        folded = replace(session, token_id=session.token_id.lower())
        await super().add(folded, user_version=user_version, now=now, audit=audit)

    async def user_of(self, token_id: str, *, now: datetime) -> User | None:
        return await super().user_of(token_id.lower(), now=now)


class TestTokensFolded(MemoryContract):
    repo = FoldsTokens


class EndsEverySession(MemorySessionRepo):
    """Forgets the condition."""

    async def end_all(self, user_id: UserId, *, audit: AuditEntry | None = None) -> None:
        self._memory.sessions.clear()
        self._memory.append_audit(audit)


class TestEverySessionEnded(MemoryContract):
    repo = EndsEverySession


class OneSessionEach(MemorySessionRepo):
    """Ends the user's earlier sessions."""

    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        self._memory.get_user(session.user_id, version=user_version)
        self._memory.end_sessions(lambda known: known.user_id == session.user_id)
        await super().add(session, user_version=user_version, now=now, audit=audit)


class TestOneSessionEach(MemoryContract):
    repo = OneSessionEach


class AuditsAttempts(MemorySessionRepo):
    """Writes the entry before the change."""

    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        self._memory.append_audit(audit)
        await super().add(session, user_version=user_version, now=now)


class TestRefusedLoginAudited(MemoryContract):
    repo = AuditsAttempts


class ForgetsAudit(MemorySessionRepo):
    """Forgets the entry of one method."""

    async def end_all(self, user_id: UserId, *, audit: AuditEntry | None = None) -> None:
        await super().end_all(user_id)


class TestAuditForgotten(MemoryContract):
    repo = ForgetsAudit
