"""The tests of contracts that wrong adapters fail, from a pytest session inside this process.

A module in `tests/contracts/wrong` has one test class for each wrong adapter. Its file name has no `test_`, so it isn't
collected with the other tests.
"""

import functools
import warnings
from pathlib import Path

import pytest

WRONG = Path(__file__).parent.parent / "contracts" / "wrong"

_OPTIONS = (
    *("--disable-plugin-autoload", "-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider", "-p", "no:faulthandler"),
    *("-p", "no:terminal", "-p", "no:threadexception", "-p", "no:unraisableexception", "--noconftest"),
    *("-c", "/dev/null", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
    *("--import-mode=importlib", "-o", "xfail_strict=true", "--capture=no"),
)


class _Recorder:
    """A plugin that records the outcomes by test class."""

    def __init__(self) -> None:
        self.failed: dict[str, set[str]] = {}
        self.passed: dict[str, set[str]] = {}
        self.errors: list[str] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        # Other styles parse the sources of all frames, which is slow, and which Python 3.11 sometimes fails to do.
        config.option.tbstyle = "native"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.errors.append(report.longreprtext)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        _, _, place = report.nodeid.partition("::")
        name, _, test = place.partition("::")
        if report.when == "call":
            outcomes = self.failed if report.failed else self.passed
            outcomes.setdefault(name, set()).add(test.partition("[")[0])
        elif report.failed:
            self.errors.append(f"{report.nodeid}: {report.longreprtext}")


@functools.cache
def refusals_of(module: str) -> dict[str, frozenset[str]]:
    """Returns the failed tests of each test class in a module of `tests/contracts/wrong`.

    Raises:
        AssertionError: A class wasn't collected, one of its fixtures failed, or the session ended early.
    """
    recorder = _Recorder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wrong adapter may leave a warning behind
        code = pytest.main([str(WRONG / f"{module}.py"), *_OPTIONS], plugins=[recorder])
    assert recorder.errors == []
    assert code in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
    names = recorder.failed.keys() | recorder.passed.keys()
    return {name: frozenset(recorder.failed.get(name, ())) for name in names}
