"""A pytest plugin that records which functions each test calls, and runs selected tests in a given order."""

import json
import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from types import CodeType, FrameType

import pytest

RECORD = "POLYANT_MUTANTS_RECORD"
"""The environment variable with the folder to write records to, one file per process."""
SELECTED = "POLYANT_MUTANTS_SELECTED"
"""The environment variable with the file that lists the tests to run, one per line."""


class _Recorder:
    """Writes whether each test fails, its duration in seconds and the functions of `polyant` that it calls."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"{os.getpid()}.jsonl"
        self._source = f"{os.environ['PYTHONPATH'].split(os.pathsep)[0]}/"
        self._called: set[CodeType] = set()
        self._seconds = 0.0
        self._failed = False
        sys.settrace(self._trace)
        threading.settrace(self._trace)

    def _trace(self, frame: FrameType, event: str, argument: object) -> None:
        self._called.add(frame.f_code)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds += report.duration
        self._failed = self._failed or report.failed

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, object, object]:
        """Records what the import of a module calls under the path of the module."""
        return (yield from self._recording(collector.nodeid, is_test=False))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        return (yield from self._recording(item.nodeid, is_test=True))

    def _recording(self, node: str, *, is_test: bool) -> Generator[None, object, object]:
        self._called, self._seconds, self._failed = set(), 0.0, False
        try:
            return (yield)
        finally:
            functions = sorted(
                f"{code.co_filename.removeprefix(self._source)}:{code.co_firstlineno}"
                for code in self._called.copy()
                if code.co_filename.startswith(self._source)
            )
            record = {
                "node": node,
                "is_test": is_test,
                "failed": self._failed,
                "seconds": round(self._seconds, 3),
                "functions": functions,
            }
            with self._file.open("a") as file:
                file.write(json.dumps(record) + "\n")


class _Selection:
    """Runs only the listed tests, in the order of the list."""

    def __init__(self, file: Path) -> None:
        self._places = {test: place for place, test in enumerate(file.read_text().splitlines())}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._places), key=lambda item: self._places[item.nodeid]
        )


def pytest_configure(config: pytest.Config) -> None:
    """Records in the processes that run tests, which with pytest-xdist is not the first one."""
    if RECORD in os.environ and (hasattr(config, "workerinput") or not config.getoption("numprocesses")):
        config.pluginmanager.register(_Recorder(Path(os.environ[RECORD])))
    if SELECTED in os.environ:
        config.pluginmanager.register(_Selection(Path(os.environ[SELECTED])))
