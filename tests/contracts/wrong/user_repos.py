"""User repositories that each break one promise."""

import asyncio

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.store import MemoryStore
from polyant.adapters.memory.user_repo import MemoryUserRepo
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import LastSuperadminError
from polyant.domain.users import Email, Role, SessionRevocation, User, UserId, UserPage
from polyant.testing.user_repo import UserRepoContract
from support.stores import InMemory


class MemoryContract(InMemory, UserRepoContract):
    repo: type[MemoryUserRepo]

    @pytest.fixture
    def user_repo(self, memory: MemoryStore) -> MemoryUserRepo:
        return self.repo(memory=memory)


class ChecksThenInserts(MemoryUserRepo):
    """Looks for the address in one query, and inserts in the next."""

    async def add(self, user: User, *, audit: AuditEntry | None = None) -> User:
        self._check_email_is_free(user)
        await asyncio.sleep(0)
        return self._put(replace(user, version=1), audit)


class TestInsertNotAtomic(MemoryContract):
    repo = ChecksThenInserts


class ChecksThenUpdates(MemoryUserRepo):
    """Compares versions before the update instead of in it."""

    async def save(self, user: User, *, ends: SessionRevocation | None = None, audit: AuditEntry | None = None) -> User:
        self._memory.get_user(user.id, version=user.version)
        await asyncio.sleep(0)
        current = self._memory.get_user(user.id, version=None)
        return await super().save(replace(user, version=current.version), ends=ends, audit=audit)


class TestUpdateNotAtomic(MemoryContract):
    repo = ChecksThenUpdates


class CountsThenRemoves(MemoryUserRepo):
    """Counts the superadmins before the deletion instead of in its transaction."""

    async def delete(self, user_id: UserId, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        self._check_not_last_superadmin(self._memory.get_user(user_id, version=version))
        await asyncio.sleep(0)
        del self._memory.users[user_id]
        self._memory.end_sessions(lambda session: session.user_id == user_id)
        self._memory.append_audit(audit)


class TestLastSuperadminRace(MemoryContract):
    repo = CountsThenRemoves


class CountsDisabled(MemoryUserRepo):
    """Counts disabled superadmins, too."""

    def _check_not_last_superadmin(self, user: User) -> None:
        others = (other for other in self._memory.users.values() if other.id != user.id)
        if user.is_active_superadmin and not any(other.role is Role.SUPERADMIN for other in others):
            raise LastSuperadminError(user.email)


class TestDisabledSuperadminsCounted(MemoryContract):
    repo = CountsDisabled


class EndsSessionsFirst(MemoryUserRepo):
    """Ends sessions in a transaction of their own."""

    async def save(self, user: User, *, ends: SessionRevocation | None = None, audit: AuditEntry | None = None) -> User:
        if ends is not None:
            self._memory.end_sessions(lambda session: session.user_id == user.id and session.token_id != ends.keep)
        return await super().save(user, audit=audit)


class TestRefusedSaveEndsSessions(MemoryContract):
    repo = EndsSessionsFirst


class KeepsAnySession(MemoryUserRepo):
    """Ends the sessions of everybody but the one to keep."""

    async def save(self, user: User, *, ends: SessionRevocation | None = None, audit: AuditEntry | None = None) -> User:
        saved = await super().save(user, audit=audit)
        if ends is not None:
            self._memory.end_sessions(lambda session: session.token_id != ends.keep)
        return saved


class TestSessionsOfOthersEnded(MemoryContract):
    repo = KeepsAnySession


class LeavesSessions(MemoryUserRepo):
    """Leaves the sessions of a deleted user to their expiry."""

    async def delete(self, user_id: UserId, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        sessions = dict(self._memory.sessions)
        await super().delete(user_id, version=version, audit=audit)
        self._memory.sessions = sessions


class TestSessionsLeft(MemoryContract):
    repo = LeavesSessions


class IncrementsNew(MemoryUserRepo):
    """Gives a new user the version after the caller's."""

    async def add(self, user: User, *, audit: AuditEntry | None = None) -> User:
        self._check_email_is_free(user)
        return self._put(replace(user, version=user.version + 1), audit)


class TestNewUserHasAnyVersion(MemoryContract):
    repo = IncrementsNew


class StoresEverything(MemoryUserRepo):
    """Updates all columns."""

    async def save(self, user: User, *, ends: SessionRevocation | None = None, audit: AuditEntry | None = None) -> User:
        await super().save(user, ends=ends, audit=audit)
        return self._put(replace(user, version=user.version + 1), None)


class TestCreationTimeChanged(MemoryContract):
    repo = StoresEverything


class ComparesCase(MemoryUserRepo):
    """Searches with a comparison that minds case."""

    async def list(self, *, search: str = "", limit: int | None = None, offset: int = 0) -> UserPage:
        if search != search.lower():
            return UserPage((), 0)
        return await super().list(search=search, limit=limit, offset=offset)


class TestCaseOfSearchMatters(MemoryContract):
    repo = ComparesCase


class SearchesPatterns(MemoryUserRepo):
    """Searches with LIKE, and doesn't escape."""

    async def list(self, *, search: str = "", limit: int | None = None, offset: int = 0) -> UserPage:
        return await super().list(search=search.strip("%_"), limit=limit, offset=offset)


class TestSearchIsPattern(MemoryContract):
    repo = SearchesPatterns


class CountsPage(MemoryUserRepo):
    """Reports the size of the page as the total."""

    async def list(self, *, search: str = "", limit: int | None = None, offset: int = 0) -> UserPage:
        page = await super().list(search=search, limit=limit, offset=offset)
        return UserPage(page.users, len(page.users))


class TestTotalOfPage(MemoryContract):
    repo = CountsPage


class ListsByCreation(MemoryUserRepo):
    """Lists in the order of the table."""

    async def list(self, *, search: str = "", limit: int | None = None, offset: int = 0) -> UserPage:
        found = [user for user in self._memory.users.values() if search.lower() in user.email]
        end = None if limit is None else offset + limit
        return UserPage(tuple(found[offset:end]), len(found))


class TestOrderOfCreation(MemoryContract):
    repo = ListsByCreation


class PrefersPrefix(MemoryUserRepo):
    """Finds an address by its beginning, as a truncated index does."""

    async def find(self, email: Email) -> User | None:
        return next((user for user in self._memory.users.values() if user.email[:12] == email[:12]), None)


class TestAddressesTruncated(MemoryContract):
    repo = PrefersPrefix


class AuditsAttempts(MemoryUserRepo):
    """Writes the entry before the change."""

    async def delete(self, user_id: UserId, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        self._memory.append_audit(audit)
        await super().delete(user_id, version=version)


class TestRefusedDeletionAudited(MemoryContract):
    repo = AuditsAttempts


class DeletesSilently(MemoryUserRepo):
    """Treats the deletion of an unknown user as done."""

    async def delete(self, user_id: UserId, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        if user_id in self._memory.users:
            await super().delete(user_id, version=version, audit=audit)


class TestUnknownUserDeleted(MemoryContract):
    repo = DeletesSilently
