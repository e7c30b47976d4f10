"""Instances in tables: one for their own fields, one for each kind of child."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from piccolo.columns import Column
from piccolo.columns.combination import WhereRaw
from piccolo.custom_types import Combinable
from piccolo.query import Select
from piccolo.querystring import QueryString
from piccolo.table import Table

from polyant.adapters.piccolo.audit_log import PiccoloAuditLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_history import PiccoloInstanceHistory
from polyant.adapters.piccolo.instance_rows import (
    Row,
    instance_of,
    mcp_server_rows_of,
    row_of,
    secret_rows_of,
    section_rows_of,
    skill_rows_of,
    summary_of,
    tool_rows_of,
)
from polyant.adapters.piccolo.revisions import Revisions
from polyant.adapters.piccolo.skill_files import PiccoloSkillFiles
from polyant.adapters.piccolo.sql import NO_LIMIT, by_code_point, escape_like
from polyant.adapters.piccolo.tables import (
    InstanceRow,
    McpServerRow,
    SecretRow,
    SectionRow,
    SkillRow,
    ToolRow,
)
from polyant.domain.audit import AuditEntry
from polyant.domain.errors import InstanceChangedError, InstanceExistsError, PolyantError, UnknownInstanceError
from polyant.domain.instance_states import InstanceState
from polyant.domain.instances import Instance, InstanceChanges, InstanceId, InstancePage, InstanceQuery, Slug
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.secrets import AUTH_API_KEY, CALLER_KEYS
from polyant.domain.skill_files import StoredSkillFile

_IMMUTABLE = frozenset({"id", "slug", "created_at"})

_SEARCH = (
    "(lower(slug) LIKE lower({}) ESCAPE '!' OR lower(name) LIKE lower({}) ESCAPE '!'"
    " OR lower(description) LIKE lower({}) ESCAPE '!')"
)
_HAS_AUTH_KEY = QueryString(
    "EXISTS (SELECT 1 FROM instance_secrets WHERE instance = instances.id AND instance_secrets.name = {})",
    AUTH_API_KEY,
    alias="has_auth_key",
)


class PiccoloInstanceRepo(InstanceRepo):
    """Keeps instances in the database.

    Every write starts by incrementing the single row of `revision`. The lock on that row serializes writers, so that
    revisions become visible in order. On PostgreSQL, the database's locale determines which non-ASCII letters a search
    treats as equal in upper and lower case.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = database
        self._instances = database.bind(InstanceRow)
        self._secrets = database.bind(SecretRow)
        self._sections = database.bind(SectionRow)
        self._tools = database.bind(ToolRow)
        self._servers = database.bind(McpServerRow)
        self._skills = database.bind(SkillRow)
        self._skill_files = PiccoloSkillFiles(database=database)
        self._revisions = Revisions(database=database)
        self._history = PiccoloInstanceHistory(database=database)
        self._audit_log = PiccoloAuditLog(database=database)

    async def get(self, slug: Slug) -> Instance | None:
        return await self._database.read(lambda: self._get(slug))

    async def list(self, query: InstanceQuery) -> InstancePage:
        if "\0" in query.search:  # PostgreSQL rejects NUL in parameters
            return InstancePage((), 0)
        return await self._database.read(lambda: self._list(query))

    async def add(
        self, instance: Instance, *, audit: AuditEntry | None = None, skill_files: Sequence[StoredSkillFile] = ()
    ) -> Instance:
        return await self._database.write(lambda: self._add(instance, audit, skill_files))

    async def save(
        self,
        instance: Instance,
        *,
        audit: AuditEntry | None = None,
        replaced: InstanceState | None = None,
        skill_files: Sequence[StoredSkillFile] = (),
    ) -> Instance:
        return await self._database.write(lambda: self._save(instance, audit, replaced, skill_files))

    async def delete(self, slug: Slug, *, version: int | None = None, audit: AuditEntry | None = None) -> None:
        await self._database.write(lambda: self._delete(slug, version, audit))

    async def changes_since(self, revision: int) -> InstanceChanges:
        return await self._database.read(lambda: self._revisions.changes_since(revision))

    async def _get(self, slug: Slug) -> Instance | None:
        fields = await self._instances.select().where(self._instances.slug == slug).first()
        if fields is None:
            return None
        instance = fields["id"]
        return instance_of(
            fields,
            secrets=await self._secrets.select().where(self._secrets.instance == instance),
            sections=await self._sections.select().where(self._sections.instance == instance),
            tools=await self._tools.select().where(self._tools.instance == instance).order_by(self._tools.position),
            mcp_servers=await self._servers.select()
            .where(self._servers.instance == instance)
            .order_by(self._servers.position),
            skills=await self._skills.select().where(self._skills.instance == instance),
        )

    async def _list(self, query: InstanceQuery) -> InstancePage:
        rows = await self._selection(query)
        total = await self._instances.count().where(*self._conditions(query))
        return InstancePage(tuple(map(summary_of, rows)), total)

    def _selection(self, query: InstanceQuery) -> Select[InstanceRow]:
        return (
            self._instances.select(*self._instances.all_columns(), _HAS_AUTH_KEY)
            .where(*self._conditions(query))
            .order_by(self._instances.created_at)
            .order_by(by_code_point(self._database, "slug"))
            .limit(NO_LIMIT if query.limit is None else query.limit)
            .offset(query.offset)
        )

    def _conditions(self, query: InstanceQuery) -> Iterator[Combinable]:
        if query.status is not None:
            yield self._instances.status == query.status
        if query.search:
            yield WhereRaw(_SEARCH, *[f"%{escape_like(query.search)}%"] * _SEARCH.count("{}"))
        if query.key_fingerprints:
            holders = self._secrets.select(self._secrets.instance).where(
                self._secrets.name.is_in([*CALLER_KEYS]),
                self._secrets.fingerprint.is_in([*query.key_fingerprints]),
            )
            yield self._instances.id.is_in(holders)

    async def _add(
        self, instance: Instance, audit: AuditEntry | None, skill_files: Sequence[StoredSkillFile]
    ) -> Instance:
        revision = await self._revisions.advance()
        stored = msgspec.structs.replace(instance, version=1)
        row = self._instances(**row_of(stored))
        if not await self._instances.insert(row).on_conflict(action="DO NOTHING").returning(self._instances.id):
            raise InstanceExistsError(instance.slug)
        await self._add_children(stored)
        await self._keep_skill_files(stored, skill_files)
        await self._note_change(stored.slug, revision, audit)
        return stored

    async def _save(
        self,
        instance: Instance,
        audit: AuditEntry | None,
        replaced: InstanceState | None,
        skill_files: Sequence[StoredSkillFile],
    ) -> Instance:
        revision = await self._revisions.advance()
        changed = msgspec.structs.replace(instance, version=instance.version + 1)
        fields: dict[Column | str, Any] = {
            name: value for name, value in row_of(changed).items() if name not in _IMMUTABLE
        }
        immutable = await (
            self._instances.update(fields)
            .where(self._instances.id == instance.id, self._instances.version == instance.version)
            .returning(self._instances.slug, self._instances.created_at)
        )
        if not immutable:
            raise await self._conflict_error(self._instances.id == instance.id, instance.slug)
        stored = msgspec.structs.replace(changed, **immutable[0])
        await self._remove_children(stored.id)
        await self._add_children(stored)
        await self._history.add_in_transaction(replaced)
        await self._keep_skill_files(stored, skill_files)
        await self._note_change(stored.slug, revision, audit)
        return stored

    async def _keep_skill_files(self, instance: Instance, skill_files: Sequence[StoredSkillFile]) -> None:
        """Stores new files, and drops those that neither the instance nor its history needs any more.

        Raises:
            InstanceChangedError: The files of a skill are neither given nor stored.
        """
        kept = await self._skill_files.keep_in_transaction(instance.id, skill_files)
        if not {skill.digest for skill in instance.skills} <= kept:
            raise InstanceChangedError(instance.slug)

    async def _conflict_error(self, condition: Combinable, slug: Slug) -> PolyantError:
        exists = await self._instances.exists().where(condition)
        return InstanceChangedError(slug) if exists else UnknownInstanceError(slug)

    async def _delete(self, slug: Slug, version: int | None, audit: AuditEntry | None) -> None:
        revision = await self._revisions.advance()
        removal = self._instances.delete().where(self._instances.slug == slug)
        if version is not None:
            removal = removal.where(self._instances.version == version)
        if not await removal.returning(self._instances.id):
            raise await self._conflict_error(self._instances.slug == slug, slug)
        await self._note_change(slug, revision, audit)

    async def _add_children(self, instance: Instance) -> None:
        children: dict[type[Table], Sequence[Row]] = {
            self._secrets: secret_rows_of(instance),
            self._sections: section_rows_of(instance),
            self._tools: tool_rows_of(instance),
            self._servers: mcp_server_rows_of(instance),
            self._skills: skill_rows_of(instance),
        }
        for table, rows in children.items():
            if rows:
                await table.insert(*(table(**row) for row in rows))

    async def _remove_children(self, instance_id: InstanceId) -> None:
        for table in (self._secrets, self._sections, self._tools, self._servers, self._skills):
            await table.delete().where(table.instance == instance_id)

    async def _note_change(self, slug: Slug, revision: int, audit: AuditEntry | None) -> None:
        await self._revisions.note([slug], revision)
        await self._audit_log.add_in_transaction(audit)
