import asyncio
import contextlib
import contextvars
import functools
import logging
import sqlite3
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.apps.migrations.tables import Migration
from piccolo.table import Table

from polyant.adapters.piccolo import conversation_tables, management_tables, migrations, outages, tables
from polyant.adapters.piccolo import database as database_module
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.management_tables import SessionRow
from polyant.adapters.piccolo.migrations import MigrationFailedError, SchemaTooNewError, known_migrations
from polyant.domain.errors import InvalidInputError, StorageUnavailableError
from polyant.domain.prompts import SectionKey, default_sections
from polyant.testing.manual_clock import START
from support.patience import seconds
from support.postgres import PostgresServer, running_server

OUTSIDE = contextvars.copy_context()  # where no transaction is open
PROCESSES = 4
MIGRATE = """
import asyncio, sys
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.management_tables import SessionRow

async def main():
    async with PiccoloDatabase(sys.argv[1]) as database:
        print("ready", flush=True)
        sys.stdin.readline()
        await database.migrate()
        print(await database.schema())

asyncio.run(main())
"""


@pytest.fixture
def file(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that no other test uses."""
    with running_server() as server:
        yield server


def write(file: Path, text: str) -> None:
    file.write_text(text)


def size_of(file: Path) -> int:
    return file.stat().st_size


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


def rename(file: Path, name: str) -> None:
    file.rename(file.with_name(name))


async def ping(database: PiccoloDatabase) -> None:
    """Returns if the database can be read."""
    await database.read(database.bind(Migration).raw("SELECT 1").run)


async def recorded_migrations(database: PiccoloDatabase) -> list[str]:
    recorded = database.bind(Migration)
    rows = await database.read(recorded.select(recorded.name).order_by(recorded.name).run)
    return [row["name"] for row in rows]


class TestUrl:
    @pytest.mark.parametrize(
        ("url", "path"),
        [
            ("sqlite:///polyant.db", "polyant.db"),
            ("sqlite:///.polyant/polyant.db", ".polyant/polyant.db"),
            ("sqlite:////srv/polyant.db", "/srv/polyant.db"),
            ("sqlite:////srv/100%25/a%20b.db", "/srv/100%/a b.db"),
        ],
    )
    def test_sqlite_path_is_relative_or_absolute(self, url: str, path: str) -> None:
        assert PiccoloDatabase(url).place == f"the SQLite file {path}"

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("postgresql://bob:hunter2@db.example:5433/ants", "ants at db.example:5433"),
            ("postgres://bob:hunter2@[::1]:5433/ants?sslmode=require", "ants at [::1]:5433"),
            ("postgresql://db.example", "default at db.example"),
            ("postgresql://db.example?dbname=ants", "ants at db.example"),
            ("postgresql://db.example?database=ants", "ants at db.example"),
            ("postgresql://db.example?dbname=ants&database=bees", "ants at db.example"),
            ("postgresql://db.example/ants?dbname=bees", "ants at db.example"),
            ("postgresql://db.example/b%C3%A4r", "bär at db.example"),
            ("postgresql:///ants", "ants at the local socket"),
            ("postgresql://bob:hunter2@a:1,b:2/ants", "ants at a:1,b:2"),
            ("postgresql:///ants?host=/run/postgresql&password=hunter2", "ants at /run/postgresql"),
        ],
    )
    def test_postgresql_location_omits_the_password(self, url: str, place: str) -> None:
        assert PiccoloDatabase(url).place == f"the PostgreSQL database {place}"

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "hunter2",
            "mysql://bob:hunter2@host/ants",
            "sqlite://hunter2.db",
            "sqlite:///",
            "sqlite:///:memory:",
            "postgresql://bob:hunter2",
            "postgresql://bob:hunter2@x@host/ants",
            "postgresql://bob:hunter2/x@host/ants",
            "postgresql://bob:hunter2?x@host/ants",
            "postgresql://bob:hunter2#x@host/ants",
            "postgresql://bob:x@host:hunter2/ants",
            "postgresql://bob:hunter2@[::1/ants",
            "postgresql://bob:hunter2\u2100@host/ants",
        ],
    )
    def test_unusable_url_is_refused_without_showing_it(self, url: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            PiccoloDatabase(url)
        assert "hunter2" not in repr(caught.value)
        assert caught.value.__context__ is None

    async def test_unusable_option_is_refused_without_showing_the_url(self) -> None:
        database = PiccoloDatabase("postgresql://bob:hunter2@host/ants?sslmode=hunter2")
        with pytest.raises(InvalidInputError, match="ants at host") as caught:
            await database.__aenter__()
        assert "hunter2" not in printed(caught.value)


def printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


class TestSchema:
    async def test_missing_file_is_empty_and_is_not_created(self, sqlite_url: str, file: Path) -> None:
        async with PiccoloDatabase(sqlite_url) as database:
            assert await database.schema() == "empty"
            with pytest.raises(StorageUnavailableError):
                await ping(database)
        assert list(file.parent.iterdir()) == []

    async def test_empty_file_stays_empty(self, sqlite_url: str, file: Path) -> None:
        write(file, "")
        async with PiccoloDatabase(sqlite_url) as database:
            assert await database.schema() == "empty"
        assert size_of(file) == 0

    async def test_fresh_database_is_empty_and_then_current(self, database_url: str) -> None:
        async with PiccoloDatabase(database_url) as database:
            assert await database.schema() == "empty"
            assert await database.schema() == "empty"
            await database.migrate()
            assert await database.schema() == "current"
            await ping(database)

    async def test_database_missing_a_migration_is_older(self, database: PiccoloDatabase) -> None:
        await forget_last_migration(database)
        assert await database.schema() == "older"

    async def test_database_with_an_unknown_migration_is_newer(self, database: PiccoloDatabase) -> None:
        await record_unknown_migration(database)
        assert await database.schema() == "newer"

    async def test_invalid_database_file_is_named(self, sqlite_url: str, file: Path) -> None:
        write(file, "This is a diary and no database." * 100)
        async with PiccoloDatabase(sqlite_url) as database:
            with pytest.raises(StorageUnavailableError) as caught:
                await database.schema()
            assert str(file) in str(caught.value.hint)


async def forget_last_migration(database: PiccoloDatabase) -> None:
    recorded = database.bind(Migration)
    await database.write(recorded.delete().where(recorded.name == known_migrations()[-1].ID).run)


async def insert_migration(database: PiccoloDatabase) -> None:
    recorded = database.bind(Migration)
    await recorded.insert(recorded(name="2999-01-01T00:00:00:000000", app_name="polyant"))


async def record_unknown_migration(database: PiccoloDatabase) -> None:
    await database.write(lambda: insert_migration(database))


class HalfDone(Table):
    """A table created by a migration that failed."""


class TestMigrate:
    async def test_file_is_private_and_has_a_write_ahead_log(self, sqlite_url: str, file: Path) -> None:
        async with PiccoloDatabase(sqlite_url) as database:
            await database.migrate()
        assert mode_of(file) == 0o600
        with contextlib.closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    async def test_tables_are_as_declared(self, sqlite_database: PiccoloDatabase, file: Path) -> None:
        """Fails when a table changes without a migration."""
        with contextlib.closing(sqlite3.connect(":memory:")) as declared:
            for table in (vars(tables) | vars(management_tables) | vars(conversation_tables)).values():
                if isinstance(table, type) and issubclass(table, Table) and table is not Table:
                    for statement in sqlite_database.bind(table).create_table().ddl:
                        declared.execute(statement)
            expected = shape_of(declared)
        with contextlib.closing(sqlite3.connect(file)) as connection:
            assert expected.items() <= shape_of(connection).items()

    async def test_migrating_again_changes_nothing(self, database: PiccoloDatabase) -> None:
        before = await recorded_migrations(database)
        await database.migrate()
        assert await recorded_migrations(database) == before == [module.ID for module in known_migrations()]

    async def test_nothing_is_printed(self, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
        async with PiccoloDatabase(database_url) as database:
            await database.migrate()
        assert capsys.readouterr() == ("", "")

    async def test_one_of_many_concurrent_processes_migrates_and_all_succeed(self, database_url: str) -> None:
        pipe = asyncio.subprocess.PIPE
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", MIGRATE, database_url, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT
            )
            for _ in range(PROCESSES)
        ]
        for process in processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        outputs = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
        assert [output for output, _ in outputs] == [b"current\n"] * PROCESSES
        async with PiccoloDatabase(database_url) as database:
            assert await recorded_migrations(database) == [module.ID for module in known_migrations()]

    async def test_newer_schema_is_refused_and_unchanged(self, database: PiccoloDatabase) -> None:
        await record_unknown_migration(database)
        await forget_last_migration(database)
        before = await recorded_migrations(database)
        with pytest.raises(SchemaTooNewError, match="newer"):
            await database.migrate()
        assert await recorded_migrations(database) == before

    async def test_schema_that_became_newer_during_migration_is_refused(
        self, database: PiccoloDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process of a newer version may migrate between the check and the lock."""
        await record_unknown_migration(database)

        async def older(_: PiccoloDatabase) -> str:
            return "older"

        monkeypatch.setattr(PiccoloDatabase, "schema", older)
        with pytest.raises(SchemaTooNewError):
            await database.migrate()

    async def test_failed_migration_leaves_the_old_schema_and_is_logged(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def forwards() -> MigrationManager:
            async def fail() -> None:
                class Carrier(Table):
                    pass

                await Carrier.raw("CREATE TABLE half_done (a INTEGER)")
                raise ZeroDivisionError

            manager = MigrationManager(migration_id="bad", app_name="polyant")
            manager.add_raw(fail)
            return manager

        good = known_migrations()
        async with PiccoloDatabase(database_url) as database:
            await database.migrate()
            bad = SimpleNamespace(ID="bad", forwards=forwards)
            for module in (migrations, database_module):
                monkeypatch.setattr(module, "known_migrations", lambda: [*good, bad])
            with pytest.raises(MigrationFailedError, match="bad"):
                await database.migrate()
            assert await database.schema() == "older"
            assert await recorded_migrations(database) == [module.ID for module in good]
            assert "ZeroDivisionError" in caplog.text
            assert not await database.read(database.bind(HalfDone).table_exists().run)

    async def test_missing_folder_is_named(self, tmp_path: Path) -> None:
        async with PiccoloDatabase(f"sqlite:///{tmp_path}/missing/polyant.db") as database:
            with pytest.raises(StorageUnavailableError) as caught:
                await database.migrate()
            assert "missing/polyant" in str(caught.value.hint)


def shape_of(connection: sqlite3.Connection) -> dict[str, str]:
    """Returns the statements that create the tables and indexes."""
    return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall())


class TestOutages:
    async def test_missing_server_is_named_without_the_password(self) -> None:
        database = PiccoloDatabase("postgresql://bob:hunter2@127.0.0.1:1/ants")
        with pytest.raises(StorageUnavailableError) as caught:
            await database.__aenter__()
        assert "ants at 127.0.0.1:1" in str(caught.value.hint)
        assert "hunter2" not in printed(caught.value) + str(caught.value.hint)

    async def test_missing_database_is_named(self, postgres: PostgresServer) -> None:
        with pytest.raises(StorageUnavailableError) as caught:
            async with PiccoloDatabase(postgres.url_of("no_such_ants")):
                pass
        assert "no_such_ants" in str(caught.value.hint)

    async def test_internal_error_is_not_an_outage(self, database: PiccoloDatabase) -> None:
        recorded = database.bind(Migration)
        with pytest.raises(Exception, match="no_such_table") as caught:
            await database.read(recorded.raw("SELECT * FROM no_such_table").run)
        assert not isinstance(caught.value, StorageUnavailableError)

    async def test_outage_is_logged_when_it_begins_and_when_it_ends(
        self, sqlite_database: PiccoloDatabase, file: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        rename(file, "aside.db")
        for _ in range(3):
            with pytest.raises(StorageUnavailableError):
                await ping(sqlite_database)
        rename(file.with_name("aside.db"), file.name)
        for _ in range(3):
            await ping(sqlite_database)
        assert [message.split(str(file))[0] for message in caplog.messages] == [
            "Cannot use the SQLite file ",
            "Can use the SQLite file ",
        ]

    @pytest.mark.parametrize("news_seconds, told", [(60, 1), (0, 3)])
    async def test_outages_in_quick_succession_are_logged_as_one(
        self,
        sqlite_database: PiccoloDatabase,
        file: Path,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        news_seconds: float,
        told: int,
    ) -> None:
        monkeypatch.setattr(outages, "_INTERVAL_SECONDS", news_seconds)
        for _ in range(3):
            rename(file, "aside.db")
            with pytest.raises(StorageUnavailableError):
                await ping(sqlite_database)
            rename(file.with_name("aside.db"), file.name)
            await ping(sqlite_database)
        assert [message.split()[0] for message in caplog.messages] == ["Cannot", "Can"] * told

    async def test_full_disk_of_a_server_is_named(
        self, postgres_database: PiccoloDatabase, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def change() -> None:
            await postgres_database.bind(Migration).raw(
                "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
            )

        for _ in range(2):
            with pytest.raises(StorageUnavailableError) as caught:
                await postgres_database.write(change)
            assert "the disk is full. Free space on the database server" in caught.value.explanation
            await ping(postgres_database)
        assert len(caplog.messages) == 1  # reads don't end the outage
        await postgres_database.write(postgres_database.bind(Migration).count().run)
        assert caplog.messages[1:] == [f"Can use {postgres_database.place} again"]

    async def test_closed_database_is_unavailable(self, postgres_url: str) -> None:
        async with PiccoloDatabase(postgres_url) as database:
            await ping(database)
        with pytest.raises(StorageUnavailableError):
            await ping(database)

    async def test_dead_pooled_connection_fails_no_read(self, postgres_url: str, postgres: PostgresServer) -> None:
        async with PiccoloDatabase(postgres_url, min_connections=10) as database:
            for _ in range(10):
                await ping(database)
                await postgres.disconnect_all()

    async def test_restarted_server_is_used_again(
        self, own_server: PostgresServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with PiccoloDatabase(own_server.url_of("postgres"), min_connections=2, max_connections=2) as database:
            await database.migrate()
            await asyncio.to_thread(own_server.stop)
            for _ in range(5):  # more attempts than connections: none may be lost permanently
                with pytest.raises(StorageUnavailableError):
                    await ping(database)
                with pytest.raises(StorageUnavailableError):
                    await record_unknown_migration(database)
            await asyncio.to_thread(own_server.start)
            await asyncio.gather(*(ping(database) for _ in range(10)))
            assert await database.schema() == "current"
        assert [record for record in caplog.records if record.exc_info] == []

    async def test_waiting_for_a_connection_times_out(self, postgres_url: str) -> None:
        async with PiccoloDatabase(postgres_url, max_connections=1, wait_seconds=seconds(0.5)) as database:
            release = asyncio.Event()
            holding = asyncio.create_task(database.write(release.wait))
            await asyncio.sleep(0)
            with pytest.raises(StorageUnavailableError):
                await asyncio.gather(ping(database), ping(database))
            release.set()
            await holding
            await ping(database)


class TestRun:
    """One statement, in one round trip."""

    ONE = "SELECT 1"

    async def test_statement_runs_after_a_failed_one(self, database: PiccoloDatabase) -> None:
        with pytest.raises(Exception, match="no_such_table") as caught:
            await asyncio.gather(*(database.run("SELECT * FROM no_such_table") for _ in range(3)))
        assert not isinstance(caught.value, StorageUnavailableError)
        assert [tuple(row) for row in await database.run(self.ONE)] == [(1,)]

    async def test_unopened_database_runs_nothing(self, database_url: str) -> None:
        database = PiccoloDatabase(database_url)
        for _ in range(2):
            with pytest.raises(StorageUnavailableError):
                await database.run(self.ONE)
            async with database:
                await database.migrate()
                await asyncio.gather(*(database.run(self.ONE) for _ in range(3)))

    async def test_statement_joins_no_transaction(self, database: PiccoloDatabase) -> None:
        """The statement does not see the changes of a transaction in the same task."""
        rows = "SELECT name FROM migration"
        before = [*await database.run(rows)]

        async def change() -> int:
            await insert_migration(database)
            return len([*await database.run(rows)])

        assert await database.write(change) == len(before)
        assert len([*await database.run(rows)]) == len(before) + 1


class TestRunMany:
    """One statement for many rows, in one transaction."""

    async def run_many(self, database: PiccoloDatabase, *ids: str) -> None:
        insert = {
            "sqlite": "INSERT INTO sessions (token_id, user_id, expires_at) VALUES (?, ?, ?)",
            "postgres": "INSERT INTO sessions (token_id, user_id, expires_at) VALUES ($1, $2, $3)",
        }
        await database.run_many(insert[database.dialect], [(each, "user", START) for each in ids])

    async def ids(self, database: PiccoloDatabase) -> list[str]:
        return [id_ for (id_,) in await database.run("SELECT token_id FROM sessions ORDER BY token_id")]

    async def test_rows_are_stored_as_piccolo_stores_them(self, database: PiccoloDatabase) -> None:
        await self.run_many(database, "a", "b")
        row = database.bind(SessionRow)(token_id="c", user_id="user", expires_at=START)
        await database.write(row.save().run)
        stored = await database.run("SELECT DISTINCT expires_at FROM sessions")
        assert (len([*stored]), await self.ids(database)) == (1, ["a", "b", "c"])

    async def test_no_row_is_stored_if_one_fails(self, database: PiccoloDatabase) -> None:
        with pytest.raises(Exception, match=r"(?i)unique") as caught:
            await self.run_many(database, "a", "b", "a")
        assert not isinstance(caught.value, StorageUnavailableError)
        assert await self.ids(database) == []
        await self.run_many(database, "a")
        assert await self.ids(database) == ["a"]

    async def test_unopened_database_runs_nothing(self, database_url: str) -> None:
        with pytest.raises(StorageUnavailableError):
            await self.run_many(PiccoloDatabase(database_url), "a")

    async def test_rows_waiting_for_a_writer_delay_no_other_statement(self, sqlite_database: PiccoloDatabase) -> None:
        writing, written = asyncio.Event(), asyncio.Event()

        async def change() -> None:
            writing.set()
            await written.wait()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sqlite_database.write(change))
            await writing.wait()
            waiting = tasks.create_task(self.run_many(sqlite_database, "a"))
            await asyncio.sleep(0)
            async with asyncio.timeout(5):
                assert await self.ids(sqlite_database) == []
            assert not waiting.done()
            written.set()
        assert await self.ids(sqlite_database) == ["a"]


class TestTransactions:
    async def test_failed_write_changes_nothing(self, database: PiccoloDatabase) -> None:
        before = await recorded_migrations(database)

        async def change() -> None:
            await insert_migration(database)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await database.write(change)
        assert await recorded_migrations(database) == before

    async def test_cancelled_write_changes_nothing_and_returns_its_connection(self, database_url: str) -> None:
        async with PiccoloDatabase(database_url, max_connections=1) as database:
            await database.migrate()
            before = await recorded_migrations(database)
            inserted = asyncio.Event()

            async def change() -> None:
                await insert_migration(database)
                inserted.set()
                await asyncio.Event().wait()

            writing = asyncio.create_task(database.write(change))
            await inserted.wait()
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert await recorded_migrations(database) == before
            await record_unknown_migration(database)

    async def test_read_sees_one_state_despite_concurrent_writes(self, database: PiccoloDatabase) -> None:
        recorded = database.bind(Migration)

        async def count_twice() -> tuple[int, int]:
            first = await recorded.count()
            await asyncio.create_task(record_unknown_migration(database), context=OUTSIDE.copy())
            return first, await recorded.count()

        first, second = await database.read(count_twice)
        assert first == second

    async def test_writes_that_begin_with_a_read_are_serialised(
        self, database: PiccoloDatabase, database_url: str
    ) -> None:
        async def read_and_write(where: PiccoloDatabase) -> None:
            await where.bind(Migration).count()
            await asyncio.sleep(0.01)  # without serialisation, both would have read by now
            await insert_migration(where)

        before = await recorded_migrations(database)
        async with PiccoloDatabase(database_url) as again:
            await asyncio.gather(*(each.write(functools.partial(read_and_write, each)) for each in (database, again)))
        assert len(await recorded_migrations(database)) == len(before) + 2

    async def test_databases_in_one_process_are_independent(
        self, sqlite_database: PiccoloDatabase, postgres_database: PiccoloDatabase
    ) -> None:
        await record_unknown_migration(sqlite_database)
        assert await sqlite_database.schema() == "newer"
        assert await postgres_database.schema() == "current"


OLD_DATETIME = "# Date and time\n\nIt is {{datetime}} ({{timezone}})."


async def test_old_default_section_is_replaced_and_changed_ones_are_kept(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = known_migrations()
    before = [module for module in known if module.ID < "2026-11-26T20:45:00:000000"]
    async with PiccoloDatabase(database_url) as database:
        monkeypatch.setattr(migrations, "known_migrations", lambda: before)
        await database.migrate()
        sections = database.bind(tables.SectionRow)
        contents = {"a": OLD_DATETIME, "b": f"{OLD_DATETIME} Really.", "c": "It is {{datetime}}."}
        now = datetime(2026, 11, 22, tzinfo=UTC)
        empty = dict.fromkeys(("description", "model", "name", "provider", "status"), "")

        async def fill() -> None:
            for slug, content in contents.items():
                columns = ("id", "slug", *empty, "auth_enabled", "created_at", "updated_at", "version")
                row = f"INSERT INTO instances ({', '.join(columns)})"
                values = (slug, slug, *empty.values(), False, now, now, 1)
                await sections.raw(f"{row} VALUES ({', '.join(['{}'] * len(values))})", *values)
                insert = "INSERT INTO instance_prompts (instance, section, content) VALUES ({}, {}, {})"
                await sections.raw(insert, slug, "08-datetime", content)
                await sections.raw(insert, slug, "01-identity", OLD_DATETIME)

        await database.write(fill)
        monkeypatch.setattr(migrations, "known_migrations", lambda: known)
        await database.migrate()
        rows = await database.read(sections.select().run)
    stored = {(row["instance"], row["section"]): row["content"] for row in rows}
    assert stored["a", "08-datetime"] == default_sections("A")[SectionKey.DATETIME]
    assert stored["b", "08-datetime"] == contents["b"]
    assert stored["c", "08-datetime"] == contents["c"]
    assert {stored[slug, "01-identity"] for slug in contents} == {OLD_DATETIME}
