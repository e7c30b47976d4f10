"""All data of the database, read in one snapshot and restored in one transaction."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager

from polyant.adapters.piccolo.archive_reader import ArchiveReader
from polyant.adapters.piccolo.archive_writer import ArchiveWriter
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.domain.audit import AuditEntry
from polyant.domain.backups import StoredItem, StoreNotEmptyError
from polyant.domain.ports.archive import Archive


class PiccoloArchive(Archive):
    """Reads and restores the tables of instances, their skills, users and the audit trail.

    A snapshot is a transaction: REPEATABLE READ on PostgreSQL, a read transaction in WAL mode on SQLite. A restore also
    removes the metrics of turns, which belong to the removed initial data.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = database
        self._reader = ArchiveReader(database=database)
        self._writer = ArchiveWriter(database=database)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncIterator[StoredItem]]:
        async with self._database.snapshot() as snapshot:
            yield self._reader.items(snapshot)

    async def check_empty(self) -> None:
        await self._database.read(self._check_empty)

    async def restore(self, items: AsyncIterable[StoredItem], *, audit: AuditEntry) -> None:
        await self._database.write(lambda: self._restore(items, audit))

    async def _restore(self, items: AsyncIterable[StoredItem], audit: AuditEntry) -> None:
        revision = await self._writer.lock()
        await self._check_empty()
        await self._writer.clear(revision)
        await self._writer.add(items, revision)
        await self._writer.add_audit(audit)

    async def _check_empty(self) -> None:
        if not await self._reader.is_empty():
            raise StoreNotEmptyError
