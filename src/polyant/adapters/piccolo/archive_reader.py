"""Reads instances, the files of their skills, channel connections, users and the audit trail page by page."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from functools import partial

from piccolo.columns.combination import WhereRaw

from polyant.adapters.piccolo.archive_conversations import ConversationArchive
from polyant.adapters.piccolo.archive_pages import pages
from polyant.adapters.piccolo.audit_log import audit_entry_of
from polyant.adapters.piccolo.channel_connections import connection_of
from polyant.adapters.piccolo.database import PiccoloDatabase, Snapshot
from polyant.adapters.piccolo.instance_rows import Row, instance_of
from polyant.adapters.piccolo.management_tables import AuditRow, UserRow
from polyant.adapters.piccolo.skill_files import skill_files_of
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
from polyant.adapters.piccolo.user_repo import user_of
from polyant.domain.audit import SERVER
from polyant.domain.backups import StoredItem
from polyant.domain.channels import ChannelConnection
from polyant.domain.instances import Instance
from polyant.domain.skill_files import StoredSkillFile

_INSTANCES_PER_PAGE = 50
_FILES_PER_PAGE = 16
_ROWS_PER_PAGE = 1_000
_USED = (
    "EXISTS (SELECT 1 FROM instance_skills WHERE instance_skills.instance = instance_skill_files.instance"
    " AND instance_skills.digest = instance_skill_files.digest)"
)


class ArchiveReader:
    """Reads all rows in pages, each of which continues after the primary key of the previous one's last row.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._instances = database.bind(InstanceRow)
        self._secrets = database.bind(SecretRow)
        self._sections = database.bind(SectionRow)
        self._tools = database.bind(ToolRow)
        self._servers = database.bind(McpServerRow)
        self._connections = database.bind(ConnectionRow)
        self._skills = database.bind(SkillRow)
        self._files = database.bind(SkillFileRow)
        self._conversations = ConversationArchive(database=database)
        self._users = database.bind(UserRow)
        self._audit = database.bind(AuditRow)

    async def items(self, snapshot: Snapshot) -> AsyncIterator[StoredItem]:
        """Yields all items in the snapshot."""
        async for page in pages(snapshot, self._instances, self._instances.id, "", size=_INSTANCES_PER_PAGE):
            for instance in await snapshot.read(partial(self._with_children, page)):
                yield instance
        async for file in self._skill_files(snapshot):
            yield file
        async for connection in self._channel_connections(snapshot):
            yield connection
        async for item in self._conversations.items(snapshot):
            yield item
        async for page in pages(snapshot, self._users, self._users.id, ""):
            for row in page:
                yield user_of(row)
        async for page in pages(snapshot, self._audit, self._audit.id, 0):
            for row in page:
                yield audit_entry_of(row)

    async def _channel_connections(self, snapshot: Snapshot) -> AsyncIterator[ChannelConnection]:
        async for page in pages(snapshot, self._connections, self._connections.id, ""):
            slugs = await snapshot.read(partial(self._slugs, page))
            for row in page:
                yield connection_of(row | {"slug": slugs[row["instance"]]})

    async def _skill_files(self, snapshot: Snapshot) -> AsyncIterator[StoredSkillFile]:
        used = WhereRaw(_USED)
        async for page in pages(snapshot, self._files, self._files.id, 0, size=_FILES_PER_PAGE, condition=used):
            for file in skill_files_of(page):
                yield file

    async def is_empty(self) -> bool:
        """Returns whether the database contains nothing but its initial data, in the caller's transaction."""
        instances, users = await self._instances.count(), await self._users.count()
        if instances > 1 or users > 1 or await self._audit.exists().where(self._audit.actor != SERVER):
            return False
        if await self._connections.exists() or not await self._conversations.is_empty():
            return False
        for table in (self._instances, self._users):
            if await table.exists().where(table.version != 1):
                return False
        return bool(await self._audit.count() == instances + users)

    async def _with_children(self, rows: Sequence[Row]) -> list[Instance]:
        ids = [row["id"] for row in rows]
        secrets = await self._children(self._secrets, ids)
        sections = await self._children(self._sections, ids)
        tools = await self._children(self._tools, ids)
        servers = await self._children(self._servers, ids)
        skills = await self._children(self._skills, ids)
        return [
            instance_of(
                row,
                secrets=secrets[row["id"]],
                sections=sections[row["id"]],
                tools=_in_order(tools[row["id"]]),
                mcp_servers=_in_order(servers[row["id"]]),
                skills=skills[row["id"]],
            )
            for row in rows
        ]

    async def _slugs(self, connections: Sequence[Row]) -> dict[str, str]:
        ids = [row["instance"] for row in connections]
        instances = self._instances
        found = await instances.select(instances.id, instances.slug).where(instances.id.is_in(ids))
        return {row["id"]: row["slug"] for row in found}

    async def _children(
        self, table: type[SecretRow | SectionRow | ToolRow | McpServerRow | SkillRow], ids: Sequence[str]
    ) -> dict[str, list[Row]]:
        """Returns the rows of each instance; unordered, because sorting on SQLite may need temporary files."""
        children = defaultdict[str, list[Row]](list)
        for row in await table.select().where(table.instance.is_in([*ids])):
            children[row["instance"]].append(row)
        return children


def _in_order(rows: Sequence[Row]) -> Sequence[Row]:
    return sorted(rows, key=lambda row: int(row["position"]))
