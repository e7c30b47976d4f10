import functools
import gc
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

if sys.dont_write_bytecode:
    # Rewriting the assertions of all tests takes seconds in each process: cache the result outside the source tree.
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(Path(__file__).parent.parent / ".pytest_cache/bytecode")

pytest.register_assert_rewrite("polyant.testing", "support")

from support import launching, patience  # noqa: E402 - after its assertions are registered for rewriting

pytest_plugins = ["support.postgres", "support.databases"]

# A timeout mark on a test and --timeout on the command line override this.
os.environ.setdefault("PYTEST_TIMEOUT", str(patience.seconds(120)))

hypothesis.settings.register_profile(  # hypothesis' own limits don't scale with the machine
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

for phase in ("connect", "read", "write", "pool"):  # httpx's default, 5 s, is too short on a slow machine
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, phase, patience.PATIENCE)

# Functions such as httpx.get build an SSL context for each call, which reads every CA certificate.
httpx._transports.default.create_ssl_context = functools.cache(  # type: ignore[attr-defined] # httpx imports it there
    httpx._config.create_ssl_context
)

_SERIAL = ("tests/clients/", "tests/multi/")
"""Folders whose tests load the machine: the tests of each run serially in one process."""

_FIRST = (
    *(
        "tests/multi/",
        "tests/e2e/test_schemathesis.py",
        "tests/test_launching.py",
        "tests/deployment/",
        "tests/clients/",
        "tests/e2e/",
        "tests/test_docs.py",
    ),
    *("tests/contracts/", "tests/cli/", "tests/wire/"),
)
"""The slowest folders and files, in starting order. They start first so that no process idles at the end."""


class _Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Assigns whole files to processes, so that the tests of a file share slow-starting servers."""

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in _SERIAL if nodeid.startswith(place)), nodeid.partition("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # xdist's order is by number of tests; ours is `_FIRST`
    return _Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keeps the garbage collector from traversing the thousands of collected tests again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the slow tests to the front."""
    ranks = dict(zip(_FIRST, range(len(_FIRST)), strict=True))
    items.sort(key=lambda item: next((ranks[p] for p in _FIRST if item.nodeid.startswith(p)), len(_FIRST)))


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Lowers the default cost of Argon2id for all tests."""
    from polyant.adapters.crypto.backup_cipher import AesGcmBackupCipher  # noqa: PLC0415 - slow to import
    from polyant.adapters.crypto.password_hasher import Argon2idPasswordHasher  # noqa: PLC0415 - the same

    with pytest.MonkeyPatch.context() as patch:
        for adapter in (Argon2idPasswordHasher, AesGcmBackupCipher):
            presets = adapter.__init__.__kwdefaults__
            assert presets is not None
            patch.setitem(presets, "memory_kib", 64)
            patch.setitem(presets, "iterations", 1)
        yield


def pytest_unconfigure() -> None:
    """Stops the launcher of this process."""
    launching.close()


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """Leaves reference cycles alone during the test, so that it sees what they keep."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
