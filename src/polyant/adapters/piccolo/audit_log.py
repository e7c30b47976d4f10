"""The audit trail in a table."""

from collections.abc import Iterator
from typing import Any

import msgspec
from piccolo.columns.combination import Or, WhereRaw
from piccolo.custom_types import Combinable
from piccolo.query import Select

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.management_tables import AuditRow
from polyant.domain.audit import AuditEntry, AuditPage, AuditQuery
from polyant.domain.ports.audit_log import AuditLog


class PiccoloAuditLog(AuditLog):
    """Keeps the trail in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = database
        self._rows = database.bind(AuditRow)

    async def add(self, entry: AuditEntry) -> None:
        await self._database.write(lambda: self.add_in_transaction(entry))

    async def add_in_transaction(self, entry: AuditEntry | None) -> None:
        """Stores the entry, if there is one, in the caller's transaction."""
        if entry is not None:
            await self._rows.insert(self._rows(**audit_row_of(entry)))

    async def list(self, query: AuditQuery) -> AuditPage:
        if "\0" in f"{query.user}{query.action}":  # PostgreSQL rejects NUL in parameters
            return AuditPage((), 0)
        return await self._database.read(lambda: self._list(query))

    async def _list(self, query: AuditQuery) -> AuditPage:
        rows = await self._selection(query)
        total = await self._rows.count().where(*self._conditions(query))
        return AuditPage(tuple(map(audit_entry_of, rows)), total)

    def _selection(self, query: AuditQuery) -> Select[AuditRow]:
        return (
            self._rows.select()
            .where(*self._conditions(query))
            .order_by(self._rows.at, self._rows.id, ascending=False)
            .limit(query.limit)
            .offset(query.offset)
        )

    def _conditions(self, query: AuditQuery) -> Iterator[Combinable]:
        rows = self._rows
        if query.instance is not None:
            yield rows.instance == query.instance
        if query.user is not None:
            yield Or(rows.actor == query.user, rows.user == query.user)
        if query.action is not None:
            family = f"{query.action}."
            yield Or(rows.action == query.action, WhereRaw("substr(action, 1, {}) = {}", len(family), family))
        if query.since is not None:
            yield rows.at >= query.since
        if query.until is not None:
            yield rows.at < query.until


def audit_row_of(entry: AuditEntry) -> dict[str, Any]:
    """Returns the row of an entry."""
    return msgspec.structs.asdict(entry) | {"details": msgspec.json.encode(entry.details).decode()}


def audit_entry_of(row: dict[str, Any]) -> AuditEntry:
    """Returns the entry from a row."""
    return msgspec.convert(row | {"details": msgspec.json.decode(row["details"])}, AuditEntry)
