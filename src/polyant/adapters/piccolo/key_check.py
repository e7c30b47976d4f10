"""The value that tells whether the master key is the right one, in a row of its own."""

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.tables import KeyCheckRow
from polyant.domain.ports.key_check import KeyCheck

_ONLY_ROW = 1


class PiccoloKeyCheck(KeyCheck):
    """Keeps the value in the database."""

    def __init__(self, *, database: PiccoloDatabase) -> None:
        """Takes a database that is open and migrated when it is first asked."""
        self._database = database
        self._rows = database.bind(KeyCheckRow)

    async def read(self) -> str | None:
        return await self._database.read(self._kept)

    async def keep(self, sealed: str) -> str:
        return await self._database.write(lambda: self._keep(sealed))

    async def replace(self, expected: str, sealed: str) -> bool:
        return await self._database.write(lambda: self._replace(expected, sealed))

    async def _keep(self, sealed: str) -> str:
        await self._rows.insert(self._rows(id=_ONLY_ROW, sealed=sealed)).on_conflict(action="DO NOTHING")
        return await self._kept() or sealed

    async def _replace(self, expected: str, sealed: str) -> bool:
        kept = self._rows.sealed == expected
        return bool(await self._rows.update({self._rows.sealed: sealed}).where(kept).returning(self._rows.id))

    async def _kept(self) -> str | None:
        row = await self._rows.select(self._rows.sealed).first()
        return None if row is None else str(row["sealed"])
