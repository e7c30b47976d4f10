import asyncio
from collections.abc import Iterator

import pytest

from support.postgres import PostgresServer
from support.process import SECRETS


@pytest.fixture(scope="module")
def on_postgres(postgres: PostgresServer) -> Iterator[dict[str, str]]:
    """The settings for a PostgreSQL database that only this module uses."""
    asyncio.run(postgres.create_database("multi"))
    yield {"DATABASE_URL": postgres.url_of("multi"), **SECRETS}
    asyncio.run(postgres.drop_database("multi"))
