"""Sessions in a table."""

from datetime import datetime

import msgspec

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.management_tables import SessionRow, UserRow
from polyant.adapters.piccolo.user_repo import user_of
from polyant.domain.ports.session_repo import SessionRepo
from polyant.domain.users import StoredSession, User, UserId


class PiccoloSessionRepo(SessionRepo):
    """Keeps sessions in the database."""

    def __init__(self, *, database: PiccoloDatabase) -> None:
        """Takes a database that is open and migrated when it is first asked."""
        self._database = database
        self._sessions = database.bind(SessionRow)
        self._users = database.bind(UserRow)

    async def add(self, session: StoredSession, *, now: datetime) -> None:
        await self._database.write(lambda: self._add(session, now))

    async def user_of(self, token_id: str, *, now: datetime) -> User | None:
        return await self._database.read(lambda: self._user_of(token_id, now))

    async def end(self, token_id: str) -> None:
        await self._database.write(self._sessions.delete().where(self._sessions.token_id == token_id).run)

    async def end_all(self, user_id: UserId, *, but: str | None = None) -> None:
        ended = self._sessions.delete().where(self._sessions.user_id == user_id)
        await self._database.write((ended if but is None else ended.where(self._sessions.token_id != but)).run)

    async def _add(self, session: StoredSession, now: datetime) -> None:
        await self._sessions.delete().where(self._sessions.expires_at <= now)
        await self._sessions.insert(self._sessions(**msgspec.structs.asdict(session)))

    async def _user_of(self, token_id: str, now: datetime) -> User | None:
        owner = self._sessions.select(self._sessions.user_id).where(
            self._sessions.token_id == token_id, self._sessions.expires_at > now
        )
        row = await self._users.select().where(self._users.id.is_in(owner)).first()
        return None if row is None else user_of(row)
