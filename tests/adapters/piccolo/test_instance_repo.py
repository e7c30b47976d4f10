import asyncio
import signal
import sys

import pytest
from msgspec.structs import replace

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.adapters.piccolo.tables import InstanceRow, McpServerRow, SecretRow, SectionRow, ToolRow
from polyant.domain.errors import InstanceExistsError, UnknownInstanceError
from polyant.domain.instances import InstanceChanges, InstanceQuery, Slug, TranscriptReaders
from polyant.testing.factories import InstanceFactory
from polyant.testing.instance_audit import entry_of

MANY = 3_000
EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN {}", "postgres": "EXPLAIN {}"}
COPY_INSTANCE = """
INSERT INTO instances
    (id, slug, name, description, status, provider, model, auth_enabled, created_at, updated_at, version)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})
SELECT
    'copy' || i, 'copy-' || i, name, description, status, provider, model, auth_enabled, created_at, updated_at, version
FROM instances, n
"""
COPY_SECRETS = """
INSERT INTO instance_secrets (instance, name, sealed, fingerprint, updated_at)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})
SELECT 'copy' || i, name, sealed, 'print' || i, updated_at FROM instance_secrets, n
"""
ADD_AND_DIE = """
import asyncio, os, signal, sys
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_repo import PiccoloInstanceRepo
from polyant.testing.factories import InstanceFactory

async def main():
    async with PiccoloDatabase(sys.argv[1]) as database:
        repo = PiccoloInstanceRepo(database=database)
        await repo.add(InstanceFactory.build(slug="crashed"))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.fixture
def repo(database: PiccoloDatabase) -> PiccoloInstanceRepo:
    return PiccoloInstanceRepo(database=database)


async def copy_often(database: PiccoloDatabase) -> None:
    """Makes thousands of copies of the instance with distinct keys, and updates the planner's statistics."""
    instances = database.bind(InstanceRow)

    async def copy() -> None:
        await instances.raw(COPY_INSTANCE, MANY)
        await instances.raw(COPY_SECRETS, MANY)
        await instances.raw("ANALYZE")

    await database.write(copy)


async def plan_of(database: PiccoloDatabase, repo: PiccoloInstanceRepo, query: InstanceQuery) -> str:
    instances = database.bind(InstanceRow)
    (statement,) = repo._selection(query).querystrings
    rows = await database.read(instances.raw(EXPLAIN[database.dialect], statement).run)
    return "\n".join(str([*row.values()]) for row in rows)


async def test_key_lookup_uses_indexes(database: PiccoloDatabase, repo: PiccoloInstanceRepo) -> None:
    await repo.add(InstanceFactory.build())
    await copy_often(database)
    query = InstanceQuery(key_fingerprints=("print7", "print8"))
    page = await repo.list(query)
    assert [shown.slug for shown in page.instances] == ["copy-7", "copy-8"]
    plan = await plan_of(database, repo, query)
    assert "instance_secrets_fingerprint" in plan
    assert "Seq Scan" not in plan
    assert "SCAN i" not in plan


async def test_acknowledged_write_survives_a_crash(database_url: str, repo: PiccoloInstanceRepo) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ADD_AND_DIE, database_url, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (-signal.SIGKILL, b"")
    assert await repo.get(Slug("crashed")) is not None
    assert (await repo.changes_since(0)).slugs == {"crashed"}


async def test_repos_on_one_database_see_each_others_writes(database_url: str, repo: PiccoloInstanceRepo) -> None:
    async with PiccoloDatabase(database_url) as again:
        other = PiccoloInstanceRepo(database=again)
        stored = await repo.add(InstanceFactory.build())
        saved = await other.save(replace(stored, name="Changed"))
        assert await repo.get(stored.slug) == saved


async def test_writers_in_different_pools_are_serialised(database_url: str, database: PiccoloDatabase) -> None:
    """Revisions must become visible in order, regardless of the writer."""
    async with PiccoloDatabase(database_url) as again:
        repos = [PiccoloInstanceRepo(database=each) for each in (database, again)]
        await asyncio.gather(*(repos[number % 2].add(InstanceFactory.build()) for number in range(30)))
        changes = await repos[0].changes_since(0)
        assert (changes.revision, len(changes.slugs)) == (30, 30)


async def test_refused_write_takes_no_revision(repo: PiccoloInstanceRepo) -> None:
    stored = await repo.add(InstanceFactory.build())
    with pytest.raises(InstanceExistsError):
        await repo.add(stored)
    with pytest.raises(UnknownInstanceError):
        await repo.delete(Slug("nobody"))
    assert (await repo.changes_since(0)).revision == 1


async def test_deleting_an_instance_deletes_all_its_rows(database: PiccoloDatabase, repo: PiccoloInstanceRepo) -> None:
    stored = await repo.add(InstanceFactory.build())
    await repo.delete(stored.slug)
    for table in (SecretRow, SectionRow, ToolRow, McpServerRow):
        assert await database.read(database.bind(table).count().run) == 0


async def test_instance_is_not_stored_if_its_audit_entry_fails(
    database: PiccoloDatabase, repo: PiccoloInstanceRepo
) -> None:
    stored = await repo.add(InstanceFactory.build())
    await database.write(database.bind(InstanceRow).raw("DROP TABLE audit_log").run)
    entry = entry_of("instance.update")
    for change in (
        lambda: repo.add(InstanceFactory.build(), audit=entry),
        lambda: repo.save(replace(stored, name="Changed"), audit=entry),
        lambda: repo.delete(stored.slug, audit=entry),
    ):
        with pytest.raises(Exception, match="audit_log"):
            await change()
    assert await repo.get(stored.slug) == stored
    assert await repo.changes_since(0) == InstanceChanges(1, frozenset({stored.slug}))


async def test_addresses_stored_by_a_version_without_approvals_are_approved(
    database: PiccoloDatabase, repo: PiccoloInstanceRepo
) -> None:
    stored = await repo.add(InstanceFactory.build(base_url="http://10.0.0.5:8000/v1", approved_addresses=frozenset()))
    instances = database.bind(InstanceRow)
    older = instances.update({instances.approved_addresses: None}).where(instances.slug == stored.slug)
    await database.write(older.run)
    found = await repo.get(stored.slug)
    assert found is not None
    assert found.approved_addresses == found.addresses
    await repo.save(replace(found, approved_addresses=frozenset()))
    again = await repo.get(stored.slug)
    assert again is not None
    assert again.approved_addresses == frozenset()


async def test_instances_stored_by_a_version_without_conversations_keep_none(
    database: PiccoloDatabase, repo: PiccoloInstanceRepo
) -> None:
    stored = await repo.add(InstanceFactory.build(conversations=True))
    rows = database.bind(InstanceRow)
    columns = (rows.conversations, rows.history_tokens, rows.history_messages, rows.transcripts)
    older = rows.update(dict.fromkeys(columns)).where(rows.slug == stored.slug)
    await database.write(older.run)
    (summary,) = (await repo.list(InstanceQuery())).instances
    for found in (await repo.get(stored.slug), summary):
        assert found is not None
        assert (found.conversations, found.transcripts) == (False, TranscriptReaders.SUPERADMINS)
        assert (found.history_tokens, found.history_messages) == (8_000, 100)


def test_postgresql_orders_slugs_by_code_point_in_any_locale(postgres_url: str) -> None:
    """Checks the collation, because the test server has no locale that would show the difference."""
    repo = PiccoloInstanceRepo(database=PiccoloDatabase(postgres_url))
    assert ', slug COLLATE "C" ASC' in str(repo._selection(InstanceQuery()))
