"""The Piccolo configuration during a migration, so that `engine_finder` returns the migrated database's engine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from piccolo.engine.base import Engine

_VARIABLE = "PICCOLO_CONF"
_engine: ContextVar[Engine[Any]] = ContextVar("_engine")


@contextmanager
def migration_engine(engine: Engine[Any]) -> Iterator[None]:
    """Runs migrations within it on the engine; a process can migrate only one database at a time."""
    before = os.environ.get(_VARIABLE)
    token = _engine.set(engine)
    os.environ[_VARIABLE] = __name__
    try:
        yield
    finally:
        _engine.reset(token)
        del os.environ[_VARIABLE]
        if before is not None:
            os.environ[_VARIABLE] = before


def __getattr__(name: str) -> Engine[Any]:
    """Returns the engine for Piccolo's lookup of `DB`."""
    if name == "DB":
        return _engine.get()
    raise AttributeError(name)
