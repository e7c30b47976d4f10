import asyncio
import contextvars
from datetime import timedelta

import pytest
from msgspec.structs import replace

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.management_tables import SessionRow, UserRow
from polyant.adapters.piccolo.session_repo import PiccoloSessionRepo
from polyant.adapters.piccolo.user_repo import PiccoloUserRepo
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import LastSuperadminError
from polyant.domain.users import Role, SessionRevocation
from polyant.testing.factories import UserFactory
from polyant.testing.manual_clock import START
from polyant.testing.session_repo import session_of

LATER = START + timedelta(hours=1)
ENTRY = AuditEntry(at=START, actor="cli", action="user.create")


@pytest.fixture
def repo(database: PiccoloDatabase) -> PiccoloUserRepo:
    return PiccoloUserRepo(database=database)


async def rows_of(database: PiccoloDatabase, table: type[UserRow | SessionRow]) -> int:
    return await database.read(database.bind(table).count().run)


async def test_concurrent_deletions_keep_the_last_superadmin(database_url: str, repo: PiccoloUserRepo) -> None:
    async with PiccoloDatabase(database_url) as again:
        repos = [repo, PiccoloUserRepo(database=again)]
        superadmins = [await repo.add(user) for user in UserFactory.batch(8, role=Role.SUPERADMIN)]
        outcomes = await asyncio.gather(
            *(repos[number % 2].delete(user.id) for number, user in enumerate(superadmins)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes if outcome is not None] == [LastSuperadminError]


async def test_user_and_sessions_are_unchanged_if_the_audit_entry_fails(
    database: PiccoloDatabase, repo: PiccoloUserRepo
) -> None:
    sessions = PiccoloSessionRepo(database=database)
    stored = await repo.add(UserFactory.build())
    await sessions.add(session_of(stored, "a", expires_at=LATER), user_version=1, now=START)
    await database.write(database.bind(UserRow).raw("DROP TABLE audit_log").run)
    for change in (
        lambda: repo.add(UserFactory.build(), audit=ENTRY),
        lambda: repo.save(replace(stored, disabled=True), ends=SessionRevocation(), audit=ENTRY),
        lambda: repo.delete(stored.id, audit=ENTRY),
        lambda: sessions.add(session_of(stored, "b", expires_at=LATER), user_version=1, now=START, audit=ENTRY),
        lambda: sessions.end("a", audit=ENTRY),
        lambda: sessions.end_all(stored.id, audit=ENTRY),
    ):
        with pytest.raises(Exception, match="audit_log"):
            await change()
    assert (await repo.list()).users == (stored,)
    assert await sessions.user_of("a", now=START) == stored
    assert await sessions.user_of("b", now=START) is None


async def test_reading_does_not_wait_for_writers(database: PiccoloDatabase, repo: PiccoloUserRepo) -> None:
    stored = await repo.add(UserFactory.build())

    async def write_slowly() -> None:
        await repo._lock_against_writers()
        assert await asyncio.create_task(repo.get(stored.id), context=outside) == stored

    outside = contextvars.copy_context()  # where no transaction is open
    await database.write(write_slowly)


async def test_sessions_are_deleted_at_expiry_and_with_their_user(
    database: PiccoloDatabase, repo: PiccoloUserRepo
) -> None:
    sessions = PiccoloSessionRepo(database=database)
    user = await repo.add(UserFactory.build())
    for token_id in ("a", "b"):
        await sessions.add(session_of(user, token_id, expires_at=START), user_version=1, now=START)
    assert await rows_of(database, SessionRow) == 1
    await repo.delete(user.id)
    assert await rows_of(database, SessionRow) == 0


def test_postgresql_orders_addresses_by_code_point_in_any_locale(postgres_url: str) -> None:
    """Checks the collation, because the test server has no locale that would show the difference."""
    repo = PiccoloUserRepo(database=PiccoloDatabase(postgres_url))
    assert 'email COLLATE "C" ASC' in str(repo._selection())
