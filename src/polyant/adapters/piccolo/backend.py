"""What SQLite and PostgreSQL each do in their own way, seen from the outside."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Protocol

from piccolo.engine.base import Engine

Row = Sequence[Any]
"""The columns that a statement asked for, in its order."""


class Backend(Protocol):
    """A database engine, and how its connections, transactions and failures are handled.

    Piccolo's own transactions lose a connection for good when it dies at their beginning or end. So the backends let
    the drivers hold connections and transactions, and have Piccolo's queries join them.
    """

    engine: Engine[Any]
    place: str
    """Where the database is, in words that an operator knows; never with the password."""

    @abstractmethod
    async def open(self) -> None:
        """Gets ready to be asked; changes nothing in the database."""

    @abstractmethod
    async def close(self) -> None:
        """Gives everything back."""

    @abstractmethod
    async def has_migrations(self) -> bool:
        """Returns whether the table of migrations is there; creates nothing."""

    @abstractmethod
    async def prepare(self) -> None:
        """Makes the database ready for tables."""

    @abstractmethod
    def reading(self, *, anew: bool = False) -> AbstractAsyncContextManager[None]:
        """Opens a transaction for queries that all see one state of the database; `anew` on a new connection."""

    @abstractmethod
    def writing(self) -> AbstractAsyncContextManager[None]:
        """Opens a transaction that is committed at the end, or rolled back when an exception leaves it."""

    @abstractmethod
    async def run(self, statement: str, *arguments: object, anew: bool) -> Iterable[Row]:
        """Returns the rows of one statement that is a transaction of its own, in one round trip; `anew` as above."""

    @abstractmethod
    async def run_many(self, statement: str, rows: Sequence[Row], *, anew: bool) -> None:
        """Runs one statement for each row of arguments, all of them in one transaction, with the options of `run`."""

    @abstractmethod
    def migrating(self) -> AbstractAsyncContextManager[None]:
        """Opens a transaction like `writing`, without a limit of time, once no other process has one like it."""

    @abstractmethod
    def is_outage(self, error: Exception) -> bool:
        """Returns whether the error says that the database doesn't answer, and not that the query is wrong."""

    @abstractmethod
    def is_stale(self, outage: BaseException | None) -> bool:
        """Returns whether that outage may be no more than a connection that had died unnoticed."""


@contextmanager
def joined(engine: Engine[Any], connection: Any) -> Iterator[None]:
    """Has Piccolo's queries within it run on the connection, as if Piccolo had opened the transaction."""
    transaction = engine.transaction()
    transaction.connection = connection
    token = engine.current_transaction.set(transaction)
    try:
        yield
    finally:
        engine.current_transaction.reset(token)
