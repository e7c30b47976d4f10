"""Reads tables page by page, in bounded memory."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from piccolo.columns import Column
from piccolo.custom_types import Combinable
from piccolo.table import Table

from polyant.adapters.piccolo.database import Snapshot
from polyant.adapters.piccolo.instance_rows import Row

ROWS_PER_PAGE = 1_000


async def pages(
    snapshot: Snapshot,
    table: type[Table],
    key: Column,
    first: Any,
    *,
    name: str = "id",
    size: int = ROWS_PER_PAGE,
    condition: Combinable | None = None,
) -> AsyncIterator[Sequence[Row]]:
    """Yields the rows with a key greater than the first one, in pages of up to `size` rows; `name` is the key's."""
    after, conditions = first, () if condition is None else (condition,)
    while page := await snapshot.read(table.select().where(key > after, *conditions).order_by(key).limit(size).run):
        yield page
        after = page[-1][name]
