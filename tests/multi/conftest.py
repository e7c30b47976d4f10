import asyncio
from collections.abc import Iterator

import pytest

from support.postgres import PostgresServer
from support.process import SECRETS


@pytest.fixture(scope="module")
def on_postgres(postgres: PostgresServer) -> Iterator[dict[str, str]]:
    """Settings that lead to a PostgreSQL database of this module's own."""
    asyncio.run(postgres.create_database("multi"))
    yield {"DATABASE_URL": postgres.url_of("multi"), **SECRETS}
    asyncio.run(postgres.drop_database("multi"))
