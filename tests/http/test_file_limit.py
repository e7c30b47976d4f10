"""The log line of a process that is out of file descriptors."""

import os
import resource
from collections.abc import Iterator

import pytest

from polyant.http.file_limit import FileLimitWatch


@pytest.fixture
def exhausted() -> Iterator[int]:
    """The limit of a process that can open no more files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    yield free
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_exhaustion_is_logged_once_a_minute(exhausted: int, caplog: pytest.LogCaptureFixture) -> None:
    watch = FileLimitWatch()
    for now in (100.0, 101.0, 159.0, 160.0, 161.0):
        watch.check(now, connections=7)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "out of file descriptors, so new connections are closed"
    ] * 2
    assert [getattr(record, "fields", None) for record in caplog.records] == [
        {"limit": exhausted, "connections": 7}
    ] * 2


def test_nothing_is_logged_while_files_can_be_opened(caplog: pytest.LogCaptureFixture) -> None:
    FileLimitWatch().check(100.0, connections=7)
    assert caplog.records == []
