"""Runs the migrations in `piccolo_migrations`, all of them or none."""

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
from polyant.adapters.piccolo.migration_conf import found_by_piccolo
from polyant.domain.errors import UnavailableError

_logger = logging.getLogger(__name__)

APP_NAME = "polyant"


class SchemaTooNewError(UnavailableError):
    """A newer version of Polyant made the database's tables."""

    def __init__(self) -> None:
        super().__init__(
            "The database was made by a newer version of Polyant", hint="Update this one, or restore a backup"
        )


class MigrationFailedError(UnavailableError):
    """A migration failed; the tables are as they were."""

    def __init__(self, migration: str) -> None:
        super().__init__(f"The migration {migration} failed, and the database stays as it was", hint="The log says why")


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


async def ids_that_ran(recorded: type[Migration]) -> frozenset[str]:
    """Returns the ids of the migrations that the database has seen."""
    return frozenset(await recorded.get_migrations_which_ran(APP_NAME))


async def run_pending(engine: Engine[Any], recorded: type[Migration]) -> None:
    """Runs what hasn't run, in the transaction that the caller has opened.

    Raises:
        SchemaTooNewError: The database has seen migrations that this version doesn't know.
        MigrationFailedError: One failed; the caller's transaction must not be committed.
    """
    await recorded.create_table(if_not_exists=True)
    known, ran = known_migrations(), await ids_that_ran(recorded)
    if ran - {module.ID for module in known}:
        raise SchemaTooNewError
    for module in known:
        if module.ID not in ran:
            await _run(module, engine)
            await recorded.insert(recorded(name=module.ID, app_name=APP_NAME))


async def _run(module: MigrationModule, engine: Engine[Any]) -> None:
    quiet = contextlib.redirect_stdout(io.StringIO())  # Piccolo prints its progress
    with found_by_piccolo(engine), quiet:
        try:
            await (await module.forwards()).run()
        except Exception as error:
            _logger.exception("The migration %s failed", module.ID)
            raise MigrationFailedError(module.ID) from error
