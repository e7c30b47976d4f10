"""Channel connections in a table."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from piccolo.columns import Column
from piccolo.custom_types import Combinable

from polyant.adapters.piccolo.audit_log import PiccoloAuditLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_rows import Row
from polyant.adapters.piccolo.tables import ConnectionRow, InstanceRow
from polyant.domain.audit import AuditEntry
from polyant.domain.channel_problems import ChannelProblem, ProblemKind, with_problem
from polyant.domain.channels import (
    ChannelConnection,
    ChannelName,
    ConnectionChangedError,
    ConnectionExistsError,
    ConnectionId,
    UnknownConnectionError,
    account_to_save,
)
from polyant.domain.errors import PolyantError, UnknownInstanceError
from polyant.domain.instances import InstanceId
from polyant.domain.ports.channel_connections import ChannelConnections

_COLUMNS = ("id", "channel", "account", "state", "created_at", "updated_at", "version")
_APART = frozenset({"instance_id", "slug", "problems"})
_IMMUTABLE = frozenset({"id", "channel", "instance", "created_at", "problems"})


class PiccoloChannelConnections(ChannelConnections):
    """Keeps connections in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = database
        self._rows = database.bind(ConnectionRow)
        self._instances = database.bind(InstanceRow)
        self._audit_log = PiccoloAuditLog(database=database)

    async def get(self, connection_id: ConnectionId) -> ChannelConnection | None:
        if "\0" in connection_id:  # PostgreSQL rejects NUL in parameters
            return None
        found = await self._database.read(lambda: self._select(self._rows.id == connection_id))
        return found[0] if found else None

    async def list(
        self, *, instance_id: InstanceId | None = None, channel: ChannelName | None = None
    ) -> tuple[ChannelConnection, ...]:
        conditions: list[Combinable] = []
        if instance_id is not None:
            conditions.append(self._rows.instance == instance_id)
        if channel is not None:
            conditions.append(self._rows.channel == channel)
        found = await self._database.read(lambda: self._select(*conditions))
        return tuple(sorted(found, key=lambda connection: (connection.created_at, connection.id)))

    async def add(self, connection: ChannelConnection, *, audit: AuditEntry | None = None) -> ChannelConnection:
        return await self._database.write(lambda: self._add(connection, audit))

    async def save(self, connection: ChannelConnection, *, audit: AuditEntry | None = None) -> ChannelConnection:
        return await self._database.write(lambda: self._save(connection, audit))

    async def delete(
        self, connection_id: ConnectionId, *, version: int | None = None, audit: AuditEntry | None = None
    ) -> None:
        await self._database.write(lambda: self._delete(connection_id, version, audit))

    async def set_problem(
        self, connection_id: ConnectionId, kind: ProblemKind, reason: str | None, *, at: datetime
    ) -> None:
        await self._database.write(lambda: self._set_problem(connection_id, kind, reason, at))

    async def _select(self, *conditions: Combinable) -> Sequence[ChannelConnection]:
        rows = self._rows
        selection = rows.select(*rows.all_columns(), rows.instance.slug.as_alias("slug"))
        return [connection_of(row) for row in await selection.where(*conditions)]

    async def _add(self, connection: ChannelConnection, audit: AuditEntry | None) -> ChannelConnection:
        instances = self._instances
        owner = instances.select(instances.slug).where(instances.id == connection.instance_id).first()
        # The lock keeps the instance from being deleted before the connection refers to it.
        found = await (owner.lock_rows("KEY SHARE") if self._database.dialect == "postgres" else owner)
        if found is None:
            raise UnknownInstanceError(connection.slug)
        stored = msgspec.structs.replace(connection, slug=found["slug"], version=1, problems=())
        await self._insert(connection_row_of(stored))
        await self._audit_log.add_in_transaction(audit)
        return stored

    async def _insert(self, row: Row) -> None:
        rows = self._rows
        if not await rows.insert(rows(**row)).on_conflict(action="DO NOTHING").returning(rows.id):
            is_same = (rows.channel == row["channel"]) & (rows.account == row["account"])
            raise ConnectionExistsError(row["channel"], same_account=await rows.exists().where(is_same))

    async def _save(self, connection: ChannelConnection, audit: AuditEntry | None) -> ChannelConnection:
        rows = self._rows
        stored = await self._locked(connection.id, *rows.all_columns())
        if stored is None:
            raise UnknownConnectionError
        if stored["version"] != connection.version:
            raise ConnectionChangedError
        account = account_to_save(connection, connection_of({**stored, "slug": connection.slug}))
        changed = msgspec.structs.replace(connection, account=account, version=connection.version + 1)
        row = connection_row_of(changed)
        if account == stored["account"]:
            fields: dict[Column | str, object] = {name: row[name] for name in row if name not in _IMMUTABLE}
            await rows.update(fields).where(rows.id == connection.id)
        else:  # only an insertion can skip a conflict with the account of another connection
            await rows.delete().where(rows.id == connection.id)
            await self._insert(row | {name: stored[name] for name in _IMMUTABLE})
        await self._audit_log.add_in_transaction(audit)
        return (await self._select(rows.id == connection.id))[0]

    async def _locked(self, connection_id: ConnectionId, *columns: Column) -> Row | None:
        """Returns the columns of a row, which nobody else can change until the transaction ends."""
        found = self._rows.select(*columns).where(self._rows.id == connection_id).first()
        row: Row | None = await (found.lock_rows("UPDATE") if self._database.dialect == "postgres" else found)
        return row

    async def _delete(self, connection_id: ConnectionId, version: int | None, audit: AuditEntry | None) -> None:
        removal = self._rows.delete().where(self._rows.id == connection_id)
        if version is not None:
            removal = removal.where(self._rows.version == version)
        if not await removal.returning(self._rows.id):
            raise await self._conflict_error(connection_id)
        await self._audit_log.add_in_transaction(audit)

    async def _set_problem(
        self, connection_id: ConnectionId, kind: ProblemKind, reason: str | None, at: datetime
    ) -> None:
        rows = self._rows
        row = await self._locked(connection_id, rows.problems)
        if row is None:
            return
        before = problems_of(row)
        problems = with_problem(before, kind, reason, at=at)
        if problems != before:
            await rows.update({rows.problems: _encoded(problems)}).where(rows.id == connection_id)

    async def _conflict_error(self, connection_id: ConnectionId) -> PolyantError:
        exists = await self._rows.exists().where(self._rows.id == connection_id)
        return ConnectionChangedError() if exists else UnknownConnectionError()


def connection_row_of(connection: ChannelConnection) -> Row:
    """Returns the row of a connection."""
    fields = msgspec.to_builtins(connection)
    row = {name: getattr(connection, name) for name in _COLUMNS} | {"state": str(connection.state)}
    content = {name: value for name, value in fields.items() if name not in {*_COLUMNS, *_APART}}
    own = {"instance": connection.instance_id, "problems": _encoded(connection.problems)}
    return row | own | {"content": msgspec.json.encode(content).decode()}


def connection_of(row: Row) -> ChannelConnection:
    """Returns the connection from a row with the `slug` of its instance."""
    content = msgspec.json.decode(row["content"])
    columns = {name: row[name] for name in (*_COLUMNS, "slug")}
    others = {"instance_id": row["instance"], "problems": problems_of(row)}
    return msgspec.convert(content | columns | others, ChannelConnection)


def problems_of(row: Row) -> tuple[ChannelProblem, ...]:
    """Returns the problems in a row."""
    return msgspec.json.decode(row["problems"], type=tuple[ChannelProblem, ...])


def _encoded(problems: Sequence[ChannelProblem]) -> str:
    return msgspec.json.encode(problems).decode()
