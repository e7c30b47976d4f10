import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from support.app import App, serving
from support.logs import collected


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with serving() as app:
        yield app


@pytest.fixture
def access_log() -> Iterator[list[logging.LogRecord]]:
    with collected("polyant.access") as records:
        yield records


@pytest.fixture
def error_log() -> Iterator[list[logging.LogRecord]]:
    with collected("polyant.http") as records:
        yield records
