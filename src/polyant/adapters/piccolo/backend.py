"""The interface to the differences between SQLite and PostgreSQL."""

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Protocol, TypeVar

from piccolo.engine.base import Engine

from polyant.adapters.piccolo.outages import Diagnosis

Row = Sequence[Any]
"""The columns of a result, in the statement's order."""

Result = TypeVar("Result")

Work = Generator[tuple[str, tuple[object, ...]], list[Row], Result]
"""The statements of a transaction, each yielded with its arguments; the rows of its result are sent back."""


class Backend(Protocol):
    """A database engine with its connections, transactions and failures.

    Piccolo's own transactions leak a connection that dies at their beginning or end. So the drivers manage connections
    and transactions, and Piccolo's queries join them.
    """

    engine: Engine[Any]
    place: str
    """The location of the database for operators, without the password."""

    @abstractmethod
    async def open(self) -> None:
        """Prepares for queries, without changing the database."""

    @abstractmethod
    async def close(self) -> None:
        """Releases all connections."""

    @abstractmethod
    async def has_migrations(self) -> bool:
        """Returns whether the table of migrations exists; creates nothing."""

    @abstractmethod
    async def prepare(self) -> None:
        """Prepares the database for tables."""

    @abstractmethod
    def reading(self, *, new_connection: bool = False) -> AbstractAsyncContextManager[None]:
        """Opens a read-only transaction with one snapshot of the database; `new_connection` bypasses the pool."""

    @abstractmethod
    def writing(self) -> AbstractAsyncContextManager[None]:
        """Opens a transaction that is committed at the end, or rolled back by an exception."""

    @abstractmethod
    async def run(self, statement: str, *arguments: object, new_connection: bool) -> Iterable[Row]:
        """Returns the rows of one autocommitted statement, in one round trip."""

    @abstractmethod
    async def run_many(self, statement: str, rows: Sequence[Row], *, new_connection: bool) -> None:
        """Runs one statement for each row of arguments, all in one transaction."""

    @abstractmethod
    async def transact(self, work: Callable[[], Work[Result]]) -> Result:
        """Returns the result of a transaction whose statements `work` yields; it is durable once this returns."""

    @abstractmethod
    async def forget(self) -> None:
        """Removes deleted data from the files, as far as the database itself doesn't; best effort."""

    @abstractmethod
    def migrating(self) -> AbstractAsyncContextManager[None]:
        """Waits for other migrating processes, then opens a transaction like `writing` without a timeout."""

    @abstractmethod
    def is_outage(self, error: Exception) -> bool:
        """Returns whether the database is unavailable, as opposed to an invalid query."""

    @abstractmethod
    def diagnose(self, outage: Exception) -> Diagnosis:
        """Returns the reason of an outage, and what an operator can do."""

    @abstractmethod
    def is_stale(self, outage: BaseException | None) -> bool:
        """Returns whether the outage may be only a dead connection, so that a retry on a new one may succeed."""


@contextmanager
def use_connection(engine: Engine[Any], connection: Any) -> Iterator[None]:
    """Runs Piccolo's queries within it on the connection, as if Piccolo had opened the transaction."""
    transaction = engine.transaction()
    transaction.connection = connection
    token = engine.current_transaction.set(transaction)
    try:
        yield
    finally:
        engine.current_transaction.reset(token)
