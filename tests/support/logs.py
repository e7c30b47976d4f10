"""Collects log records, including those of loggers that `polyant.logs` keeps from propagating."""

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
    """Yields a list that collects the records of the named logger."""
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
    """Returns the structured fields of a record."""
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields
