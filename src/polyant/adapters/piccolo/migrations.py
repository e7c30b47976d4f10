"""Runs the migrations in `piccolo_migrations` atomically."""

import contextlib
import importlib
import io
import logging
import pkgutil
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, cast

from piccolo.apps.migrations.tables import Migration
from piccolo.engine.base import Engine

from polyant.adapters.piccolo import piccolo_migrations
from polyant.adapters.piccolo.migration_conf import migration_engine
from polyant.domain.errors import UnavailableError

_logger = logging.getLogger(__name__)

APP_NAME = "polyant"


class SchemaTooNewError(UnavailableError):
    """A newer version of Polyant created the database's tables."""

    def __init__(self) -> None:
        super().__init__(
            "The database was created by a newer version of Polyant", hint="Update this server, or restore a backup"
        )


class MigrationFailedError(UnavailableError):
    """A migration failed; the tables are unchanged."""

    def __init__(self, migration: str) -> None:
        super().__init__(
            f"The migration {migration} failed, and the database is unchanged", hint="See the log for the reason"
        )


class MigrationModule(Protocol):
    """A file in `piccolo_migrations`."""

    ID: str
    forwards: Callable[[], Awaitable[Any]]


def known_migrations() -> Sequence[MigrationModule]:
    """Returns the migrations of this version, oldest first."""
    package = piccolo_migrations.__name__
    names = [f"{package}.{found.name}" for found in pkgutil.iter_modules(piccolo_migrations.__path__)]
    modules = [cast("MigrationModule", importlib.import_module(name)) for name in names]
    return sorted(modules, key=lambda module: module.ID)


async def applied_ids(recorded: type[Migration]) -> frozenset[str]:
    """Returns the ids of the migrations that ran on the database."""
    return frozenset(await recorded.get_migrations_which_ran(APP_NAME))


async def run_pending(engine: Engine[Any], recorded: type[Migration]) -> None:
    """Runs the pending migrations in the caller's transaction.

    Raises:
        SchemaTooNewError: The database has migrations that this version doesn't know.
        MigrationFailedError: A migration failed; the caller must roll back.
    """
    await recorded.create_table(if_not_exists=True)
    known, applied = known_migrations(), await applied_ids(recorded)
    if applied - {module.ID for module in known}:
        raise SchemaTooNewError
    for module in known:
        if module.ID not in applied:
            await _run(module, engine)
            await recorded.insert(recorded(name=module.ID, app_name=APP_NAME))


async def _run(module: MigrationModule, engine: Engine[Any]) -> None:
    quiet = contextlib.redirect_stdout(io.StringIO())  # Piccolo prints its progress
    with migration_engine(engine), quiet:
        try:
            await (await module.forwards()).run()
        except Exception as error:
            _logger.exception("The migration %s failed", module.ID)
            raise MigrationFailedError(module.ID) from error
