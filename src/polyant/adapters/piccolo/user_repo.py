"""Users in a table."""

from typing import Any

import msgspec
from piccolo.columns import Column
from piccolo.columns.combination import WhereRaw
from piccolo.query import Select

from polyant.adapters.piccolo.audit_log import PiccoloAuditLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.management_tables import SessionRow, UserRow
from polyant.adapters.piccolo.sql import NO_LIMIT, by_code_point, escape_like
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import LastSuperadminError, UnknownUserError, UserChangedError, UserExistsError
from polyant.domain.ports.user_repo import UserRepo
from polyant.domain.users import Email, Role, SessionRevocation, User, UserId, UserPage

_IMMUTABLE = frozenset({"id", "created_at"})


class PiccoloUserRepo(UserRepo):
    """Keeps users in the database.

    Writers are serialized, so that a writer's checks still hold when it writes. SQLite has only one writer at a time.
    On PostgreSQL every write starts by locking the table against other writers, but not against readers.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = database
        self._users = database.bind(UserRow)
        self._sessions = database.bind(SessionRow)
        self._audit_log = PiccoloAuditLog(database=database)

    async def get(self, user_id: UserId) -> User | None:
        return await self._database.read(lambda: self._first(self._users.id == user_id))

    async def find(self, email: Email) -> User | None:
        return await self._database.read(lambda: self._first(self._users.email == email))

    async def list(self, *, search: str = "", limit: int | None = None, offset: int = 0) -> UserPage:
        if "\0" in search:  # PostgreSQL rejects NUL in parameters
            return UserPage((), 0)
        return await self._database.read(lambda: self._list(search, limit, offset))

    async def add(self, user: User, *, audit: AuditEntry | None = None) -> User:
        return await self._database.write(lambda: self._add(user, audit))

    async def save(self, user: User, *, ends: SessionRevocation | None = None, audit: AuditEntry | None = None) -> User:
        return await self._database.write(lambda: self._save(user, ends, audit))

    async def delete(self, user_id: UserId, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        await self._database.write(lambda: self._delete(user_id, version, audit))

    async def _first(self, condition: Any) -> User | None:
        row = await self._users.select().where(condition).first()
        return None if row is None else user_of(row)

    async def _list(self, search: str, limit: int | None, offset: int) -> UserPage:
        found = WhereRaw("email LIKE {} ESCAPE '!'", f"%{escape_like(search.lower())}%")
        rows = await self._selection().where(found).limit(NO_LIMIT if limit is None else limit).offset(offset)
        return UserPage(tuple(map(user_of, rows)), await self._users.count().where(found))

    def _selection(self) -> Select[UserRow]:
        return self._users.select().order_by(by_code_point(self._database, "email"))

    async def _add(self, user: User, audit: AuditEntry | None) -> User:
        await self._lock_against_writers()
        await self._check_email_is_free(user)
        stored = msgspec.structs.replace(user, version=1)
        await self._users.insert(self._users(**msgspec.structs.asdict(stored)))
        await self._audit_log.add_in_transaction(audit)
        return stored

    async def _save(self, user: User, ends: SessionRevocation | None, audit: AuditEntry | None) -> User:
        await self._lock_against_writers()
        before = await self._get(user.id, user.version)
        await self._check_email_is_free(user)
        if not user.is_active_superadmin:
            await self._check_not_last_superadmin(before)
        stored = msgspec.structs.replace(user, created_at=before.created_at, version=user.version + 1)
        fields: dict[Column | str, Any] = {
            name: value for name, value in msgspec.structs.asdict(stored).items() if name not in _IMMUTABLE
        }
        await self._users.update(fields).where(self._users.id == user.id)
        if ends is not None:
            await self._end_sessions(user.id, ends)
        await self._audit_log.add_in_transaction(audit)
        return stored

    async def _delete(self, user_id: UserId, version: int | None, audit: AuditEntry | None) -> None:
        await self._lock_against_writers()
        await self._check_not_last_superadmin(await self._get(user_id, version))
        await self._users.delete().where(self._users.id == user_id)
        await self._end_sessions(user_id, SessionRevocation())
        await self._audit_log.add_in_transaction(audit)

    async def _end_sessions(self, user_id: UserId, ends: SessionRevocation) -> None:
        ended = self._sessions.delete().where(self._sessions.user_id == user_id)
        await (ended if ends.keep is None else ended.where(self._sessions.token_id != ends.keep))

    async def _lock_against_writers(self) -> None:
        if self._database.dialect == "postgres":
            await self._users.raw("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")

    async def _get(self, user_id: UserId, version: int | None) -> User:
        user = await self._first(self._users.id == user_id)
        if user is None:
            raise UnknownUserError
        if version not in {None, user.version}:
            raise UserChangedError(user.email)
        return user

    async def _check_email_is_free(self, user: User) -> None:
        if await self._users.exists().where(self._users.email == user.email, self._users.id != user.id):
            raise UserExistsError(user.email)

    async def _check_not_last_superadmin(self, user: User) -> None:
        others = self._users.exists().where(
            self._users.role == Role.SUPERADMIN, self._users.disabled.eq(value=False), self._users.id != user.id
        )
        if user.is_active_superadmin and not await others:
            raise LastSuperadminError(user.email)


def user_of(row: dict[str, Any]) -> User:
    """Returns the user from a row."""
    return msgspec.convert(row, User)
