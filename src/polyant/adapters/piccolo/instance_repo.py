"""Instances in tables: one for their own fields, one for each kind of what they have."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from piccolo.columns import Column
from piccolo.columns.combination import WhereRaw
from piccolo.custom_types import Combinable
from piccolo.query import Select
from piccolo.querystring import QueryString
from piccolo.table import Table

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_rows import (
    Row,
    instance_of,
    row_of,
    secret_rows_of,
    section_rows_of,
    summary_of,
    tool_rows_of,
)
from polyant.adapters.piccolo.tables import ChangeRow, InstanceRow, RevisionRow, SecretRow, SectionRow, ToolRow
from polyant.domain.errors import InstanceChangedError, InstanceExistsError, PolyantError, UnknownInstanceError
from polyant.domain.instances import Instance, InstanceChanges, InstanceId, InstancePage, InstanceQuery, Slug
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.secrets import AUTH_API_KEY

_ONLY_ROW = 1
_NO_LIMIT = 2**63 - 1  # SQLite knows OFFSET after a LIMIT only
_FIXED = frozenset({"id", "slug", "created_at"})

_SEARCH = (
    "(lower(slug) LIKE lower({}) ESCAPE '!' OR lower(name) LIKE lower({}) ESCAPE '!'"
    " OR lower(description) LIKE lower({}) ESCAPE '!')"
)
_HAS_AUTH_KEY = QueryString(
    "EXISTS (SELECT 1 FROM instance_secrets WHERE instance = instances.id AND instance_secrets.name = {})",
    AUTH_API_KEY,
    alias="has_auth_key",
)
# Each database of PostgreSQL has its own idea of the alphabet; "C" is the order of the characters' codes.
_SLUG_ORDER = {"sqlite": QueryString("slug"), "postgres": QueryString('slug COLLATE "C"')}


class PiccoloInstanceRepo(InstanceRepo):
    """Keeps instances in the database.

    Every write begins by counting up the one row of `revision`. The lock on that row has writers wait for each other,
    so that revisions become visible in their order. On PostgreSQL, which letters beyond ASCII are the same in upper
    and lower case is up to the database's locale.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        """Takes a database that is open and migrated when it is first asked."""
        self._database = database
        self._instances = database.bind(InstanceRow)
        self._secrets = database.bind(SecretRow)
        self._sections = database.bind(SectionRow)
        self._tools = database.bind(ToolRow)
        self._revision = database.bind(RevisionRow)
        self._changes = database.bind(ChangeRow)

    async def get(self, slug: Slug) -> Instance | None:
        return await self._database.read(lambda: self._get(slug))

    async def list(self, query: InstanceQuery) -> InstancePage:
        if "\0" in query.search:  # PostgreSQL refuses to look for what it can't store
            return InstancePage((), 0)
        return await self._database.read(lambda: self._list(query))

    async def add(self, instance: Instance) -> Instance:
        return await self._database.write(lambda: self._add(instance))

    async def save(self, instance: Instance) -> Instance:
        return await self._database.write(lambda: self._save(instance))

    async def delete(self, slug: Slug) -> None:
        await self._database.write(lambda: self._delete(slug))

    async def changes_since(self, revision: int) -> InstanceChanges:
        return await self._database.read(lambda: self._changes_since(revision))

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
            .order_by(_SLUG_ORDER[self._database.dialect])
            .limit(_NO_LIMIT if query.limit is None else query.limit)
            .offset(query.offset)
        )

    def _conditions(self, query: InstanceQuery) -> Iterator[Combinable]:
        if query.status is not None:
            yield self._instances.status == query.status
        if query.search:
            yield WhereRaw(_SEARCH, *[f"%{_literal(query.search)}%"] * _SEARCH.count("{}"))
        if query.key_fingerprints:
            holders = self._secrets.select(self._secrets.instance).where(
                self._secrets.name == AUTH_API_KEY,
                self._secrets.fingerprint.is_in([*query.key_fingerprints]),
            )
            yield self._instances.id.is_in(holders)

    async def _add(self, instance: Instance) -> Instance:
        revision = await self._next_revision()
        stored = msgspec.structs.replace(instance, version=1)
        row = self._instances(**row_of(stored))
        if not await self._instances.insert(row).on_conflict(action="DO NOTHING").returning(self._instances.id):
            raise InstanceExistsError(instance.slug)
        await self._add_parts(stored)
        await self._note_change(stored.slug, revision)
        return stored

    async def _save(self, instance: Instance) -> Instance:
        revision = await self._next_revision()
        changed = msgspec.structs.replace(instance, version=instance.version + 1)
        fields: dict[Column | str, Any] = {name: value for name, value in row_of(changed).items() if name not in _FIXED}
        fixed = await (
            self._instances.update(fields)
            .where(self._instances.id == instance.id, self._instances.version == instance.version)
            .returning(self._instances.slug, self._instances.created_at)
        )
        if not fixed:
            raise await self._why_not_saved(instance)
        stored = msgspec.structs.replace(changed, **fixed[0])
        await self._remove_parts(stored.id)
        await self._add_parts(stored)
        await self._note_change(stored.slug, revision)
        return stored

    async def _why_not_saved(self, instance: Instance) -> PolyantError:
        there = await self._instances.exists().where(self._instances.id == instance.id)
        return InstanceChangedError(instance.slug) if there else UnknownInstanceError()

    async def _delete(self, slug: Slug) -> None:
        revision = await self._next_revision()
        if not await self._instances.delete().where(self._instances.slug == slug).returning(self._instances.id):
            raise UnknownInstanceError
        await self._note_change(slug, revision)

    async def _add_parts(self, instance: Instance) -> None:
        parts: dict[type[Table], Sequence[Row]] = {
            self._secrets: secret_rows_of(instance),
            self._sections: section_rows_of(instance),
            self._tools: tool_rows_of(instance),
        }
        for table, rows in parts.items():
            if rows:
                await table.insert(*(table(**row) for row in rows))

    async def _remove_parts(self, instance_id: InstanceId) -> None:
        for table in (self._secrets, self._sections, self._tools):
            await table.delete().where(table.instance == instance_id)

    async def _next_revision(self) -> int:
        counted = await (
            self._revision.insert(self._revision(id=_ONLY_ROW, value=1))
            .on_conflict(self._revision.id, "DO UPDATE", [(self._revision.value, QueryString("revision.value + 1"))])
            .returning(self._revision.value)
        )
        return int(counted[0]["value"])

    async def _note_change(self, slug: Slug, revision: int) -> None:
        change = self._changes(slug=slug, revision=revision)
        await self._changes.insert(change).on_conflict(self._changes.slug, "DO UPDATE", [self._changes.revision])

    async def _changes_since(self, revision: int) -> InstanceChanges:
        counter = await self._revision.select(self._revision.value).first()
        reached = 0 if counter is None else int(counter["value"])
        if reached == revision:
            return InstanceChanges(reached, frozenset())
        changed = await self._changes.select(self._changes.slug).where(self._changes.revision > revision)
        return InstanceChanges(reached, frozenset(row["slug"] for row in changed))


def _literal(text: str) -> str:
    """Returns a LIKE pattern, to be used with ESCAPE '!', that finds just the text."""
    return re.sub("[!%_]", r"!\g<0>", text)
