"""The earlier prompts and settings of instances in a table."""

from collections.abc import Sequence

import msgspec

from polyant.adapters.piccolo.audit_log import PiccoloAuditLog
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.instance_rows import Row
from polyant.adapters.piccolo.revisions import Revisions
from polyant.adapters.piccolo.skill_files import PiccoloSkillFiles
from polyant.adapters.piccolo.tables import StateRow
from polyant.domain.audit import AuditEntry
from polyant.domain.instance_states import InstanceState, StateSummary, UnknownStateError, kept_states
from polyant.domain.instances import InstanceId
from polyant.domain.ports.instance_history import InstanceHistory


class PiccoloInstanceHistory(InstanceHistory):
    """Keeps states in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = database
        self._rows = database.bind(StateRow)
        self._audit_log = PiccoloAuditLog(database=database)
        self._skill_files = PiccoloSkillFiles(database=database)
        self._revisions = Revisions(database=database)

    async def list(self, instance: InstanceId) -> Sequence[StateSummary]:
        return await self._database.read(lambda: self._list(instance))

    async def get(self, instance: InstanceId, number: int) -> InstanceState | None:
        return await self._database.read(lambda: self._get(instance, number))

    async def delete(self, instance: InstanceId, number: int, *, audit: AuditEntry | None = None) -> None:
        await self._database.write(lambda: self._delete(instance, number, audit))

    async def add_in_transaction(self, state: InstanceState | None) -> None:
        """Stores the state, if there is one, and drops the oldest states, in the caller's transaction."""
        if state is None:
            return
        rows = self._rows
        await rows.insert(rows(**state_row_of(state)))
        sizes = await rows.select(rows.number, rows.size).where(rows.instance == state.instance)
        kept = kept_states([(row["number"], row["size"]) for row in sizes])
        dropped = [row["number"] for row in sizes if row["number"] not in kept]
        if dropped:
            await rows.delete().where(rows.instance == state.instance, rows.number.is_in(dropped))

    async def _list(self, instance: InstanceId) -> Sequence[StateSummary]:
        rows = self._rows
        columns = (rows.number, rows.replaced_at, rows.replaced_by, rows.changed)
        found = await rows.select(*columns).where(rows.instance == instance).order_by(rows.number, ascending=False)
        return [msgspec.convert(_decoded(row, "changed"), StateSummary) for row in found]

    async def _get(self, instance: InstanceId, number: int) -> InstanceState | None:
        rows = self._rows
        found = await rows.select().where(rows.instance == instance, rows.number == number).first()
        return None if found is None else state_of(found)

    async def _delete(self, instance: InstanceId, number: int, audit: AuditEntry | None) -> None:
        rows = self._rows
        await self._revisions.advance()  # no save may refer to the files of a skill while they are dropped
        removal = rows.delete().where(rows.instance == instance, rows.number == number)
        if not await removal.returning(rows.number):
            raise UnknownStateError(number)
        await self._skill_files.drop_unused_in_transaction(instance)
        await self._audit_log.add_in_transaction(audit)


def state_row_of(state: InstanceState) -> Row:
    """Returns the row of a state."""
    row = msgspec.structs.asdict(state) | {"size": state.size, "skill_digests": sorted(state.skill_digests)}
    return row | {name: msgspec.json.encode(row[name]).decode() for name in ("changed", "content", "skill_digests")}


def state_of(row: Row) -> InstanceState:
    """Returns the state from a row."""
    return msgspec.convert(
        _decoded(row, "changed", "content") | {"skill_bytes": row["skill_bytes"] or 0}, InstanceState
    )


def _decoded(row: Row, *names: str) -> Row:
    return row | {name: msgspec.json.decode(row[name]) for name in names}
