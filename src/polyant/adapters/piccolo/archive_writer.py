"""Writes instances, skill files, channel connections, users and the audit trail in the caller's transaction."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import msgspec
from piccolo.table import Table

from polyant.adapters.piccolo.archive_conversations import ConversationArchive
from polyant.adapters.piccolo.audit_log import audit_row_of
from polyant.adapters.piccolo.channel_connections import connection_row_of
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_rows import (
    Row,
    mcp_server_rows_of,
    row_of,
    secret_rows_of,
    section_rows_of,
    skill_rows_of,
    tool_rows_of,
)
from polyant.adapters.piccolo.management_tables import AuditRow, SessionRow, TurnRow, UserRow
from polyant.adapters.piccolo.revisions import Revisions
from polyant.adapters.piccolo.skill_files import skill_file_row_of
from polyant.adapters.piccolo.tables import (
    ConnectionRow,
    InstanceRow,
    McpServerRow,
    SecretRow,
    SectionRow,
    SkillFileRow,
    SkillRow,
    ToolRow,
)
from polyant.domain.audit import AuditEntry
from polyant.domain.backups import StoredItem
from polyant.domain.channels import ChannelConnection
from polyant.domain.instances import Instance
from polyant.domain.skill_files import StoredSkillFile
from polyant.domain.users import User

_ITEMS_PER_BATCH = 50
_ROWS_PER_STATEMENT = 500  # a statement can have 32,766 parameters on SQLite, 32,767 on PostgreSQL

RowsOf = Callable[[Any], Sequence[Row]]


class ArchiveWriter:
    """Replaces the initial data of the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = database
        self._instances = database.bind(InstanceRow)
        self._children: tuple[tuple[type[Table], RowsOf], ...] = (
            (database.bind(SecretRow), secret_rows_of),
            (database.bind(SectionRow), section_rows_of),
            (database.bind(ToolRow), tool_rows_of),
            (database.bind(McpServerRow), mcp_server_rows_of),
            (database.bind(SkillRow), skill_rows_of),
        )
        self._connections = database.bind(ConnectionRow)
        self._files = database.bind(SkillFileRow)
        self._conversations = ConversationArchive(database=database)
        self._users = database.bind(UserRow)
        self._sessions = database.bind(SessionRow)
        self._audit = database.bind(AuditRow)
        self._turns = database.bind(TurnRow)
        self._revisions = Revisions(database=database)

    async def lock(self) -> int:
        """Makes other writers wait until the transaction ends, and returns the revision of this write.

        On PostgreSQL the order is that of the other writers' locks, which prevents deadlocks: users, the revision,
        sessions, the audit trail. Readers don't wait, except for a login, which locks its user's row.
        """
        if self._database.dialect == "postgres":
            await self._users.raw("LOCK TABLE users IN EXCLUSIVE MODE")
        revision = await self._revisions.advance()
        if self._database.dialect == "postgres":
            await self._audit.raw("LOCK TABLE sessions, audit_log IN EXCLUSIVE MODE")
        return revision

    async def clear(self, revision: int) -> None:
        """Removes all rows; those of instances' children and channel connections go with their instance."""
        removed = await self._instances.delete(force=True).returning(self._instances.slug)
        await self._revisions.note([row["slug"] for row in removed], revision)
        await self._conversations.clear()
        for table in (self._users, self._sessions, self._audit, self._turns):
            await table.delete(force=True)

    async def add(self, items: AsyncIterable[StoredItem], revision: int) -> None:
        """Stores the items."""
        async for batch in _batches(items):
            instances = [item for item in batch if isinstance(item, Instance)]
            await self._add_instances(instances, revision)
            await _insert(self._files, [skill_file_row_of(item) for item in batch if isinstance(item, StoredSkillFile)])
            connections = [item for item in batch if isinstance(item, ChannelConnection)]
            await _insert(self._connections, map(connection_row_of, connections))
            await self._conversations.add(batch)
            await _insert(self._users, [msgspec.structs.asdict(item) for item in batch if isinstance(item, User)])
            await _insert(self._audit, [audit_row_of(item) for item in batch if isinstance(item, AuditEntry)])

    async def add_audit(self, entry: AuditEntry) -> None:
        """Stores one more audit entry."""
        await _insert(self._audit, [audit_row_of(entry)])

    async def _add_instances(self, instances: Sequence[Instance], revision: int) -> None:
        await _insert(self._instances, map(row_of, instances))
        for table, rows_of in self._children:
            await _insert(table, (row for instance in instances for row in rows_of(instance)))
        await self._revisions.note([instance.slug for instance in instances], revision)


async def _batches(items: AsyncIterable[StoredItem]) -> AsyncIterator[list[StoredItem]]:
    batch: list[StoredItem] = []
    async for item in items:
        batch.append(item)
        if len(batch) == _ITEMS_PER_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _insert(table: type[Table], rows: Iterable[Row]) -> None:
    waiting = [table(**row) for row in rows]
    for first in range(0, len(waiting), _ROWS_PER_STATEMENT):
        await table.insert(*waiting[first : first + _ROWS_PER_STATEMENT])
