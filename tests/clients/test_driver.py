"""Drivers that misbehave, so that a client that does is reported and leaves nothing behind."""

import sys
from pathlib import Path

import pytest

from clients.driver import Driver, DriverError

HELLO = """print('{"version": "1", "verbs": []}', flush=True)"""


def driver(code: str, folder: Path) -> Driver:
    return Driver([sys.executable, "-c", code], folder, {})


def test_driver_that_does_not_start_is_an_error_with_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="no such client"), driver("raise SystemExit('no such client')", tmp_path):
        pass


def test_driver_that_ends_is_an_error_with_what_it_printed(tmp_path: Path) -> None:
    with (
        driver(f"{HELLO}; input(); raise SystemExit('enough')", tmp_path) as started,
        pytest.raises(DriverError, match="enough"),
    ):
        started.call("answer", {}, seconds=20)


def test_driver_that_has_ended_is_an_error(tmp_path: Path) -> None:
    with driver(f"{HELLO}; import os; os.close(0)", tmp_path) as started, pytest.raises(DriverError, match="it ended"):
        started.call("answer", {}, seconds=20)


def test_silent_driver_is_an_error(tmp_path: Path) -> None:
    with driver(f"{HELLO}; input(); input()", tmp_path) as started, pytest.raises(DriverError, match="nothing for"):
        started.call("answer", {}, seconds=0.1)
