"""Configures logging: one record per line on standard error, as text or JSON."""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from polyant.settings import LogFormat

_FAULT = logging.Formatter()
_AMBIGUOUS = re.compile(r'[\s"=]').search


class TextFormatter(logging.Formatter):
    """Writes `time LEVEL logger: message key=value …`."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line; control characters are escaped, so that input can't forge log lines."""
        fields = "".join(f" {key}={_quoted(value)}" for key, value in _fields(record).items() if value is not None)
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{fields}"
        if not line.isprintable():
            line = "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)
        return line if record.exc_info is None else f"{line}\n{_FAULT.formatException(record.exc_info)}"


class JsonFormatter(logging.Formatter):
    """Writes one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the JSON object."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info is not None:
            line["exception"] = _FAULT.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def configure(log_format: LogFormat) -> None:
    """Configures the loggers `polyant`, `uvicorn` and `piccolo` to write to standard error.

    Other loggers keep their configuration; their unhandled warnings are written in the same format. Records omit
    thread, process and code location, because no line shows them:
    https://docs.python.org/3/howto/logging.html#optimization
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - the documented way
    formatter = JsonFormatter() if log_format is LogFormat.JSON else TextFormatter()
    handler, logging.lastResort = _handler(formatter, logging.NOTSET), _handler(formatter, logging.WARNING)
    handler.addFilter(_is_informative)
    for name, level in (("polyant", logging.INFO), ("uvicorn", logging.WARNING), ("piccolo", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
    access = logging.getLogger("uvicorn.access")  # polyant.access logs more for each request
    access.handlers.clear()
    access.propagate = False


def _handler(formatter: logging.Formatter, level: int) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.setLevel(level)
    return handler


def _is_informative(record: logging.LogRecord) -> bool:
    """Returns False for the line that uvicorn logs after the reason why the startup failed."""
    return record.msg != "Application startup failed. Exiting."


def _quoted(value: object) -> str:
    text = str(value)
    return msgspec.json.encode(text).decode() if not text or _AMBIGUOUS(text) else text


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "fields", None) or {}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
