"""Concurrent first starts on an empty or old database, and failed migrations."""

import asyncio
import json
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from support.load import TRUST_ONE_PROXY, chat
from support.patience import PATIENCE
from support.process import SECRETS, run_polyant, starting

SERVERS = 4


@pytest.fixture(params=["sqlite", "postgres"])
def variables(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings for an empty database, once for each kind."""
    if request.param == "sqlite":
        return {}
    return {"DATABASE_URL": request.getfixturevalue("postgres_url"), **SECRETS}


async def test_servers_started_concurrently_on_an_empty_database_serve_one_demo(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(starting(tmp_path, **TRUST_ONE_PROXY, **variables)) for _ in range(SERVERS)]
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            for server in servers:
                server.url = server.stdout.wait_for(r"Base URL +(\S+)/v1")[1]
                assert (await chat(client, server)).status_code == 200
        listed = run_polyant(tmp_path, "instances", "list", "--json", **variables)
        assert {line.split()[1] for server in servers for line in server.stderr.text.splitlines()} == {"INFO"}
    assert [instance["slug"] for instance in json.loads(listed.stdout)["instances"]] == ["demo-bot"]


async def test_failed_migration_keeps_the_old_schema_and_prevents_the_start(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    assert (await asyncio.to_thread(run_polyant, tmp_path, "migrate", **variables)).returncode == 0
    url = variables.get("DATABASE_URL", f"sqlite:///{tmp_path}/.polyant/polyant.db")
    async with PiccoloDatabase(url) as database:
        # The state of an older version, plus an index that makes the second migration fail.
        await database.run("DELETE FROM migration WHERE name > '2026-11-22T12:00:00:000001'")
        await database.run("DROP INDEX instance_secrets_key")
        before = await schema(database)
        refused = await asyncio.to_thread(run_polyant, tmp_path, "serve", "--port", "0", **variables)
        assert await schema(database) == before
    assert refused.returncode == 3
    assert refused.stdout == ""
    assert "already exists" in refused.stderr
    *_, last = refused.stderr.splitlines()
    assert last.startswith("polyant: The migration 2026-11-22T12:00:00:000002 failed, and the database is unchanged")


async def schema(database: PiccoloDatabase) -> list[tuple[str, ...]]:
    """Returns the names of all tables, indexes and migrations."""
    things = {"sqlite": "sqlite_master", "postgres": "(SELECT relname AS name FROM pg_class) AS things"}
    rows = await database.run(f"SELECT name FROM {things[database.dialect]} UNION ALL SELECT name FROM migration")  # noqa: S608 - ours
    return sorted(tuple(row) for row in rows)
