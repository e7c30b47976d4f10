"""Pages of rows that match a filter."""

from collections.abc import Sequence

from polyant.adapters.piccolo.backend import Row
from polyant.adapters.piccolo.conversation_database import ConversationDatabase
from polyant.adapters.piccolo.dialects import in_dialects


class Conditions:
    """The conditions of a query, all of which must hold."""

    def __init__(self) -> None:
        self._texts = ["true"]
        self._values: list[object] = []

    def add(self, text: str, *values: object) -> None:
        """Adds a condition; `{}` stands for each value."""
        numbers = range(len(self._values) + 1, len(self._values) + len(values) + 1)
        self._texts.append(text.format(*(f"${number}" for number in numbers)))
        self._values += values

    def equal(self, column: str, value: object) -> None:
        """Adds that a column has this value, unless it is None."""
        if value is not None:
            self.add(f"{column} = {{}}", value)

    async def page(
        self, database: ConversationDatabase, table: str, columns: str, order: str, *, limit: int, offset: int
    ) -> tuple[Sequence[Row], int]:
        """Returns the page of rows and the number of all rows that match."""
        if any(isinstance(value, str) and "\0" in value for value in self._values):
            return [], 0  # no stored text contains NUL, which PostgreSQL rejects in parameters
        dialect = "sqlite" if database.is_sqlite else "postgres"
        matching = f"FROM {table} WHERE {' AND '.join(self._texts)}"
        number = len(self._values)
        rows = in_dialects(f"SELECT {columns} {matching} ORDER BY {order} LIMIT ${number + 1} OFFSET ${number + 2}")
        total = in_dialects(f"SELECT count(*) {matching}")
        found = await database.read_text(rows[dialect], *self._values, limit, offset)
        ((count,),) = await database.read_text(total[dialect], *self._values)
        return found, int(count)
