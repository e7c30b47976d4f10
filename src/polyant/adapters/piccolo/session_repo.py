"""Sessions in a table."""

from datetime import datetime

import msgspec
from piccolo.columns.combination import Where

from polyant.adapters.piccolo.audit_log import PiccoloAuditLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.management_tables import SessionRow, UserRow
from polyant.adapters.piccolo.user_repo import user_of
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import UnknownUserError, UserChangedError
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.users import StoredSession, User, UserId


class PiccoloSessionRepo(SessionRepo):
    """Keeps sessions in the database.

    On PostgreSQL, opening a session locks the user's row, so that a concurrent change of the user waits and then sees
    the session. SQLite has only one writer at a time.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = database
        self._sessions = database.bind(SessionRow)
        self._users = database.bind(UserRow)
        self._audit_log = PiccoloAuditLog(database=database)

    async def add(
        self, session: StoredSession, *, user_version: int, now: datetime, audit: AuditEntry | None = None
    ) -> None:
        await self._database.write(lambda: self._add(session, user_version, now, audit))

    async def user_of(self, token_id: str, *, now: datetime) -> User | None:
        return await self._database.read(lambda: self._user_of(token_id, now))

    async def end(self, token_id: str, *, audit: AuditEntry | None = None) -> None:
        await self._database.write(lambda: self._end(self._sessions.token_id == token_id, audit))

    async def end_all(self, user_id: UserId, *, audit: AuditEntry | None = None) -> None:
        await self._database.write(lambda: self._end(self._sessions.user_id == user_id, audit))

    async def _add(self, session: StoredSession, user_version: int, now: datetime, audit: AuditEntry | None) -> None:
        await self._lock_user(session.user_id, user_version)
        await self._remove_expired(now)
        await self._sessions.insert(self._sessions(**msgspec.structs.asdict(session)))
        await self._audit_log.add_in_transaction(audit)

    async def _lock_user(self, user_id: UserId, version: int) -> None:
        query = self._users.select(self._users.email, self._users.version).where(self._users.id == user_id).first()
        row = await (query.lock_rows("SHARE") if self._database.dialect == "postgres" else query)
        if row is None:
            raise UnknownUserError
        if row["version"] != version:
            raise UserChangedError(row["email"])

    async def _remove_expired(self, now: datetime) -> None:
        expired = self._sessions.select(self._sessions.token_id).where(self._sessions.expires_at <= now)
        if self._database.dialect == "postgres":
            # Ending a user's sessions locks them in another order, so waiting for locked rows could deadlock.
            expired = expired.lock_rows("UPDATE", skip_locked=True)
        await self._sessions.delete().where(self._sessions.token_id.is_in(expired))

    async def _end(self, ended: Where, audit: AuditEntry | None) -> None:
        await self._sessions.delete().where(ended)
        await self._audit_log.add_in_transaction(audit)

    async def _user_of(self, token_id: str, now: datetime) -> User | None:
        owner = self._sessions.select(self._sessions.user_id).where(
            self._sessions.token_id == token_id, self._sessions.expires_at > now
        )
        row = await self._users.select().where(self._users.id.is_in(owner)).first()
        return None if row is None else user_of(row)
