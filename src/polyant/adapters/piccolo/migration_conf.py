"""What Piccolo's own `engine_finder` finds while a migration runs: the engine of the database that is migrated."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from piccolo.engine.base import Engine

_VARIABLE = "PICCOLO_CONF"
_engine: ContextVar[Engine[Any]] = ContextVar("_engine")


@contextmanager
def found_by_piccolo(engine: Engine[Any]) -> Iterator[None]:
    """Has migrations run on the engine; only one database of a process is migrated at a time."""
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
    """Answers Piccolo's look-up of `DB`."""
    if name == "DB":
        return _engine.get()
    raise AttributeError(name)
