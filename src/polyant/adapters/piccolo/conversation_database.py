"""The database of conversations and channels: statements in its dialect, and ways to run them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from polyant.adapters.piccolo.backend import Row, Work
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.dialects import Statements, step

Result = TypeVar("Result")


class ConversationDatabase:
    """Runs named statements.

    Args:
        database: Must be open and migrated at the first call.
        statements: The statements in the notation of `dialects`, by name.
    """

    def __init__(self, database: PiccoloDatabase, statements: Mapping[str, str]) -> None:
        self._database = database
        self.sql = Statements(database.dialect, statements)
        self.is_sqlite = database.dialect == "sqlite"

    async def read(self, name: str, *arguments: object) -> Sequence[Row]:
        """Returns the rows of a statement that changes nothing.

        Raises:
            StorageUnavailableError: The database doesn't respond.
        """
        return [*await self._database.run(self.sql[name], *arguments)]

    async def read_text(self, statement: str, *arguments: object) -> Sequence[Row]:
        """Returns the rows of a statement that was put together; the same guarantees as `read`."""
        return [*await self._database.run(statement, *arguments)]

    async def write(self, name: str, *arguments: object) -> Sequence[Row]:
        """Returns the rows of one durable statement; after a lost connection it is repeated once.

        Raises:
            StorageUnavailableError: The database doesn't respond; the statement may or may not have taken effect.
        """
        if self.is_sqlite:
            return await self._database.transact(lambda: step(self.sql[name], *arguments))
        return await self.read(name, *arguments)

    async def transact(self, work: Callable[[], Work[Result]]) -> Result:
        """Returns the result of a durable transaction.

        Raises:
            StorageUnavailableError: The database doesn't respond; the change may or may not have taken effect.
        """
        return await self._database.transact(work)

    async def forget(self) -> None:
        """Removes deleted data from the database's files, as far as the database keeps any."""
        await self._database.forget()
