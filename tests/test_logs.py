import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from polyant import logs
from polyant.logs import JsonFormatter, TextFormatter
from polyant.settings import LogFormat
from support.loggers import restored_loggers


def record(message: str = "request", *arguments: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("polyant.access", logging.INFO, __file__, 1, message, arguments, None)
    made.created = 1_795_344_240.5
    made.fields = fields
    return made


def failed() -> logging.LogRecord:
    made = record("unexpected failure")
    try:
        int("a bug")
    except ValueError:
        made.exc_info = sys.exc_info()
    return made


def test_text_is_one_line_with_the_non_empty_fields() -> None:
    line = TextFormatter().format(record(status=200, ms=1.5, slug=None))
    assert line == "2026-11-22T10:44:00.500Z INFO polyant.access: request status=200 ms=1.5"


@pytest.mark.parametrize(
    "value, shown", [("two words", '"two words"'), ("a=b", '"a=b"'), ('say "hi"', '"say \\"hi\\""'), ("", '""')]
)
def test_text_quotes_ambiguous_values(value: str, shown: str) -> None:
    assert TextFormatter().format(record(path=value)).endswith(f"path={shown}")


@pytest.mark.parametrize("evil", ["a\nb", "a\r\nb", "a\x1b[2Jb", "a\u2028b", "a\x85b", "a\ud800b"])
def test_control_characters_are_escaped(evil: str) -> None:
    for line in (TextFormatter().format(record(evil)), TextFormatter().format(record("%s", evil))):
        assert line.isprintable()
    assert len(TextFormatter().format(record(path=evil)).splitlines()) == 1
    assert "\x1b" not in TextFormatter().format(record(path=evil))


def test_text_of_an_exception_follows_the_line() -> None:
    first, *rest = TextFormatter().format(failed()).splitlines()
    assert first.endswith("unexpected failure")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1].startswith("ValueError: ")


def test_json_is_one_object_per_line() -> None:
    line = JsonFormatter().format(record("%d things\n", 3, status=200, slug=None, path="/v1/ü"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-22T10:44:00.500Z",
        "level": "info",
        "logger": "polyant.access",
        "message": "3 things\n",
        "status": 200,
        "slug": None,
        "path": "/v1/ü",
    }


def test_json_has_the_exception_in_the_same_object() -> None:
    line = JsonFormatter().format(failed())
    assert "\n" not in line
    assert "ValueError: " in json.loads(line)["exception"]


def test_json_accepts_any_value() -> None:
    assert json.loads(JsonFormatter().format(record(error=ValueError("odd"))))["error"] == "odd"


@pytest.fixture
def loggers() -> Iterator[dict[str, logging.Logger]]:
    """The configured loggers, whose configuration is restored afterwards."""
    with restored_loggers() as loggers:
        yield loggers


@pytest.mark.parametrize("log_format", LogFormat)
def test_each_event_is_written_once_to_standard_error(
    loggers: dict[str, logging.Logger], monkeypatch: pytest.MonkeyPatch, log_format: LogFormat
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    logs.configure(log_format)
    logs.configure(log_format)
    logging.getLogger("polyant.access").info("request")
    logging.getLogger("uvicorn.error").warning("odd request")
    lines = stderr.getvalue().splitlines()
    assert ["request" in line for line in lines] == [True, True]
    assert all(line.startswith("{") is (log_format is LogFormat.JSON) for line in lines)


@pytest.mark.parametrize("log_format", LogFormat)
def test_unhandled_records_are_written_in_the_same_format(
    loggers: dict[str, logging.Logger], monkeypatch: pytest.MonkeyPatch, log_format: LogFormat
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logs.configure(log_format)
    logging.getLogger("somebody.else").warning("odd")
    logging.getLogger("somebody.else").info("nothing special")
    (line,) = stderr.getvalue().splitlines()
    assert line.startswith("{") is (log_format is LogFormat.JSON)
    assert "somebody.else" in line


def test_uvicorn_access_log_is_disabled(loggers: dict[str, logging.Logger]) -> None:
    loggers["uvicorn.access"].addHandler(logging.StreamHandler())
    logs.configure(LogFormat.TEXT)
    assert not loggers["uvicorn.access"].hasHandlers()


def test_other_loggers_are_unchanged(loggers: dict[str, logging.Logger]) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    logs.configure(LogFormat.TEXT)
    assert (root.handlers, root.level) == before
