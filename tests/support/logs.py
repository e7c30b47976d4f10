"""What the loggers write, also where `polyant.logs` keeps them from propagating."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def collected(name: str) -> Iterator[list[logging.LogRecord]]:
    """Yields the list to which each record of that logger is added."""
    logger = logging.getLogger(name)
    collector, level = _Collector(), logger.level
    logger.addHandler(collector)
    logger.setLevel(logging.INFO)
    try:
        yield collector.records
    finally:
        logger.setLevel(level)
        logger.removeHandler(collector)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Returns the fields that a record carries beside its message."""
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields
