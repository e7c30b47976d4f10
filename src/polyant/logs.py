"""Configures logging: one record per line on standard error, as text or JSON."""

import logging
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any

import msgspec

from polyant.adapters.system.line_stream import LineStream
from polyant.settings import LogFormat

_FAULT = logging.Formatter()
_NUMBERS = frozenset({int, float})
_AMBIGUOUS = re.compile(r'[\s"=]').search


class TextFormatter(logging.Formatter):
    """Writes `time LEVEL logger: message key=value …`."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line; control characters are escaped, so that input can't forge log lines."""
        fields = "".join(
            [
                f" {key}={value if value.__class__ in _NUMBERS else _quoted(value)}"
                for key, value in _fields(record).items()
                if value is not None
            ]
        )
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
    """Configures the loggers `polyant`, `uvicorn`, `piccolo` and `py.warnings` to write to standard error.

    Other loggers keep their configuration; their unhandled warnings are written in the same format. Records omit
    thread, process and code location, because no line shows them:
    https://docs.python.org/3/howto/logging.html#optimization
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - the documented way
    formatter = JsonFormatter() if log_format is LogFormat.JSON else TextFormatter()
    handler, logging.lastResort = _handler(formatter, logging.NOTSET), _handler(formatter, logging.WARNING)
    handler.addFilter(_is_informative)
    for name in ("polyant", "uvicorn", "piccolo", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO if name == "polyant" else logging.WARNING)
        logger.propagate = False
    access = logging.getLogger("uvicorn.access")  # polyant.access logs more for each request
    access.handlers.clear()
    access.propagate = False


def format_in(environ: Mapping[str, str]) -> LogFormat:
    """Returns the format that an environment asks for; text if its value is missing or invalid."""
    return LogFormat.JSON if environ.get("LOG_FORMAT", "").strip() == LogFormat.JSON else LogFormat.TEXT


def write_errors(text: str, log_format: LogFormat) -> None:
    """Writes the lines of an error that ends the process to standard error, in the format of the log."""
    for line in text.splitlines():
        if log_format is LogFormat.JSON:
            _write_record(_replaced(sys.stderr), "polyant", logging.ERROR, line)
        else:
            sys.stderr.write(f"polyant: {line}\n")


def write_json_message(message: str, fields: Mapping[str, object]) -> None:
    """Writes a message of the command line to standard output, as a JSON object."""
    _write_record(_replaced(sys.stdout), "polyant", logging.INFO, message, **fields)


def capture_output() -> None:
    """Makes everything that Python code writes JSON records: output, uncaught exceptions and warnings."""
    for name, level in (("stdout", logging.INFO), ("stderr", logging.ERROR)):
        stream = _replaced(getattr(sys, name))
        setattr(sys, name, LineStream(stream, partial(_write_record, stream, name, level)))
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    logging.captureWarnings(True)


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logging.getLogger("polyant").critical("uncaught exception", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_value is not None:
        _log_uncaught(found.exc_type, found.exc_value, found.exc_traceback)


def _replaced(stream: Any) -> Any:
    """Returns the stream itself, or the one that a LineStream replaces."""
    return stream.stream if isinstance(stream, LineStream) else stream


def _write_record(stream: Any, logger: str, level: int, message: str, **fields: object) -> None:
    record = logging.LogRecord(logger, level, "", 0, message, (), None)
    record.fields = fields
    stream.write(f"{JsonFormatter().format(record)}\n")
    stream.flush()


def _handler(formatter: logging.Formatter, level: int) -> logging.Handler:
    handler = logging.StreamHandler(_replaced(sys.stderr))
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
