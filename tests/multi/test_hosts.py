"""Several hosts on one PostgreSQL behave as one server."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.load import TRUST_ONE_PROXY, chat, statuses_of_burst
from support.patience import PATIENCE, seconds
from support.postgres import PostgresServer
from support.process import Server, run_polyant, serving

POOL = 2


@pytest.fixture(scope="module")
def variables(on_postgres: dict[str, str]) -> dict[str, str]:
    return {**on_postgres, **TRUST_ONE_PROXY, "DATABASE_POOL_SIZE": str(POOL)}


@pytest.fixture(scope="module")
def hosts(variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    folders = (tmp_path_factory.mktemp("host") for _ in range(2))
    with serving(next(folders), **variables) as one, serving(next(folders), **variables) as other:
        yield one, other


async def test_hosts_share_one_limit(hosts: tuple[Server, Server]) -> None:
    assert await statuses_of_burst(*hosts, each=45) == {200: 20, 429: 70}


async def test_hosts_use_no_more_connections_than_their_pools_allow(
    hosts: tuple[Server, Server], postgres: PostgresServer
) -> None:
    await statuses_of_burst(*hosts, each=45)
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'multi' AND application_name = 'polyant'"
    assert 1 <= await postgres.fetch_value(count) <= POOL * len(hosts)


async def test_key_revoked_on_one_host_is_rejected_on_both_within_a_second(
    hosts: tuple[Server, Server], variables: dict[str, str], tmp_path: Path
) -> None:
    issued = await asyncio.to_thread(run_polyant, tmp_path, "keys", "issue", "demo-bot", **variables)
    key = issued.stdout.strip()
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        for host in hosts:
            await until_status(client, host, 200, key=key)
        revoked = await asyncio.to_thread(run_polyant, tmp_path, "keys", "revoke", "demo-bot", **variables)
        assert revoked.returncode == 0, revoked.stderr
        written = time.monotonic()
        await asyncio.gather(*(until_status(client, host, 401, key=key) for host in hosts))
        assert time.monotonic() - written < seconds(1)
        refused = await chat(client, hosts[0], key=key)
    assert refused.json()["message"] == "Auth enabled but no API key configured"


async def until_status(client: httpx.AsyncClient, server: Server, status: int, *, key: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await chat(client, server, key=key)).status_code != status:  # noqa: ASYNC110 - another process decides
            await asyncio.sleep(0.02)
