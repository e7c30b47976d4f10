"""The loggers that Polyant configures."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("polyant", "uvicorn", "uvicorn.access", "piccolo")


@contextmanager
def restored_loggers() -> Iterator[dict[str, logging.Logger]]:
    """Yields the loggers by name and restores their configuration at the end of the block."""
    loggers = {name: logging.getLogger(name) for name in _NAMES}
    last_resort, source_file = logging.lastResort, logging._srcfile
    before = {name: (logger.handlers[:], logger.level, logger.propagate) for name, logger in loggers.items()}
    try:
        yield loggers
    finally:
        logging.lastResort, logging._srcfile = last_resort, source_file
        for name, (handlers, level, propagate) in before.items():
            loggers[name].handlers[:] = handlers
            loggers[name].setLevel(level)
            loggers[name].propagate = propagate
