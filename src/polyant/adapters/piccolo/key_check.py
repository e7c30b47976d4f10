"""The value that verifies the master key, in a table with a single row."""

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.tables import KeyCheckRow
from polyant.domain.ports.key_check import KeyCheck

_SINGLE_ROW = 1


class PiccoloKeyCheck(KeyCheck):
    """Keeps the value in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = database
        self._rows = database.bind(KeyCheckRow)

    async def read(self) -> str | None:
        return await self._database.read(self._stored)

    async def keep(self, sealed: str) -> str:
        return await self._database.write(lambda: self._keep(sealed))

    async def replace(self, expected: str, sealed: str) -> bool:
        return await self._database.write(lambda: self._replace(expected, sealed))

    async def _keep(self, sealed: str) -> str:
        await self._rows.insert(self._rows(id=_SINGLE_ROW, sealed=sealed)).on_conflict(action="DO NOTHING")
        return await self._stored() or sealed

    async def _replace(self, expected: str, sealed: str) -> bool:
        is_expected = self._rows.sealed == expected
        return bool(await self._rows.update({self._rows.sealed: sealed}).where(is_expected).returning(self._rows.id))

    async def _stored(self) -> str | None:
        row = await self._rows.select(self._rows.sealed).first()
        return None if row is None else str(row["sealed"])
