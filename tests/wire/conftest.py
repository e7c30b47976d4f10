import logging
from collections.abc import Iterator

import pytest

from support.logs import collected
from support.server import LiveServer, live


@pytest.fixture
def server() -> Iterator[LiveServer]:
    with live() as server:
        yield server


@pytest.fixture
def access_log() -> Iterator[list[logging.LogRecord]]:
    with collected("polyant.access") as records:
        yield records


@pytest.fixture
def server_log() -> Iterator[list[logging.LogRecord]]:
    """The warnings and errors of uvicorn."""
    with collected("uvicorn.error") as records:
        yield records
