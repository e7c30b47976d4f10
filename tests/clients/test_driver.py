"""Errors of client drivers are reported, and no process is left behind."""

import sys
from pathlib import Path

import pytest

from clients.driver import Driver, DriverError

HELLO = """print('{"version": "1", "verbs": []}', flush=True)"""


def driver(code: str, folder: Path) -> Driver:
    return Driver([sys.executable, "-c", code], folder, {})


def test_driver_that_does_not_start_raises_an_error_with_its_output(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="no such client"), driver("raise SystemExit('no such client')", tmp_path):
        pass


def test_driver_that_ends_raises_an_error_with_its_output(tmp_path: Path) -> None:
    with (
        driver(f"{HELLO}; input(); raise SystemExit('enough')", tmp_path) as started,
        pytest.raises(DriverError, match="enough"),
    ):
        started.call("answer", {}, seconds=20)


def test_call_to_an_ended_driver_raises_an_error(tmp_path: Path) -> None:
    with (
        driver(f"{HELLO}; import os; os.close(0)", tmp_path) as started,
        pytest.raises(DriverError, match="driver ended"),
    ):
        started.call("answer", {}, seconds=20)


def test_silent_driver_raises_an_error(tmp_path: Path) -> None:
    with driver(f"{HELLO}; input(); input()", tmp_path) as started, pytest.raises(DriverError, match="no output for"):
        started.call("answer", {}, seconds=0.1)
