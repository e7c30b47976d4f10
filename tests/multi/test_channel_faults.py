"""No acknowledged message is lost, doubled or out of order, whatever is killed meanwhile.

`just channels-soak` runs it with the variables CHANNEL_EVENTS, CHANNEL_KILLS and CHANNEL_OUTAGE_SECONDS.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.domain.channel_events import ChannelUser, InboundEvent, Peer
from support.ledger_platform import PACKAGE, SOURCE, TOKEN
from support.packages import install
from support.patience import PATIENCE
from support.postgres import PostgresServer, running_server
from support.process import SECRETS, Server, run_polyant, serving
from support.waiting import until

EVENTS = int(os.environ.get("CHANNEL_EVENTS", "160"))
PER_CONVERSATION = 20
KILLS = int(os.environ.get("CHANNEL_KILLS", "3"))
BURST = os.environ.get("CHANNEL_BURST", "enqueue")
PUBLIC_URL = "https://bots.example"
OUTAGE_SECONDS = float(os.environ.get("CHANNEL_OUTAGE_SECONDS", "1"))
REDELIVERED = 0.3
SENDERS = 8
WAIT = PATIENCE * max(1, EVENTS // 500)


class Servers:
    """Server processes on one store; any of them can be killed and is started again."""

    def __init__(self, folder: Path, variables: dict[str, str], stack: ExitStack) -> None:
        self._folder = folder
        self._variables = variables
        self._stack = stack
        self._running: list[Server] = []
        self.kills = 0

    def start(self) -> None:
        self._running.append(self._stack.enter_context(serving(self._folder, **self._variables)))

    def kill_one(self) -> None:
        """Kills a server with SIGKILL, and starts another."""
        server = self._running.pop(random.randrange(len(self._running)))  # noqa: S311 - no secret
        server.send(signal.SIGKILL)
        server.wait()
        self.kills += 1
        self.start()

    @property
    def url(self) -> str:
        return random.choice(self._running).url  # noqa: S311 - the same


def events() -> list[InboundEvent]:
    """Returns the messages, of which each conversation has the positions 0, 1, 2, …"""
    return [
        InboundEvent(
            id=f"{chat}-{position}",
            peer=Peer(str(chat)),
            position=position,
            user=ChannelUser(id=str(chat)),
            message_id=f"{chat}-{position}",
            text=f"{chat}/{position}",
        )
        for chat in range(EVENTS // PER_CONVERSATION)
        for position in range(PER_CONVERSATION)
    ]


def deliveries() -> list[InboundEvent]:
    """Returns what the platform delivers: all messages, some again, neighbours in any order."""
    found = events()
    found += random.sample(found, int(len(found) * REDELIVERED))
    order = {id(event): event.position + random.uniform(0, 5) for event in found}  # noqa: S311 - the same
    return sorted(found, key=lambda event: order[id(event)])


async def deliver(servers: Servers, path: str, queue: Sequence[InboundEvent]) -> None:
    """Delivers as a platform does: again until a server responds with 200."""
    waiting = iter(queue)

    async def send(client: httpx.AsyncClient) -> None:
        for event in waiting:
            while not await is_acknowledged(client, event):  # noqa: ASYNC110 - servers are killed meanwhile
                await asyncio.sleep(0.1)

    async def is_acknowledged(client: httpx.AsyncClient, event: InboundEvent) -> bool:
        try:
            response = await client.post(
                f"{servers.url}{path}", content=msgspec.json.encode([event]), headers={"x-fake-token": TOKEN}
            )
        except httpx.HTTPError:
            return False
        assert response.status_code in {200, 503}, response.text
        return response.status_code == 200

    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        await asyncio.gather(*(send(client) for _ in range(SENDERS)))


class Sends(msgspec.Struct, frozen=True):
    """The messages of a chat with the same text, and the chunks in the store whose last message is one of them."""

    chat: str
    text: str
    taken: int
    """How many messages the platform took."""
    ambiguous: tuple[int, ...]
    """How often the sends of each chunk are marked as ambiguous."""

    @property
    def doubled(self) -> int:
        """How many messages the platform took again."""
        return self.taken - len(self.ambiguous)

    @property
    def is_accounted_for(self) -> bool:
        """Whether a chunk in the store has each message, and those that were taken again are marked as ambiguous."""
        return bool(self.ambiguous) and self.doubled <= sum(self.ambiguous)


class Result:
    """The contents of the store and of the platform at the end."""

    def __init__(self, database: PiccoloDatabase, ledger: Path) -> None:
        self._database = database
        self._ledger = ledger

    async def rows(self, statement: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in await self._database.run(statement)]

    async def is_idle(self) -> bool:
        try:
            ((events, chunks),) = await self.rows(
                "SELECT (SELECT count(*) FROM channel_events WHERE state = 'open'),"
                " (SELECT count(*) FROM channel_deliveries WHERE state IN ('queued', 'sending'))"
            )
        except Exception:  # noqa: BLE001 - the database may be away
            return False
        return not events and not chunks

    async def answered(self) -> Counter[object]:
        """Returns how often each message is in the history."""
        rows = await self.rows("SELECT platform_id FROM conversation_messages WHERE role = 'user'")
        return Counter(row[0] for row in rows)

    async def order_violations(self) -> list[tuple[object, object]]:
        """Returns pairs of messages of which the later one was answered first, although both had arrived."""
        rows = await self.rows(
            "SELECT event.lane, event.position, event.received_at FROM conversation_messages AS message"
            " JOIN channel_events AS event ON event.event_id = message.platform_id ORDER BY message.number"
        )
        lanes: dict[object, list[tuple[int, int]]] = defaultdict(list)
        for lane, position, received in rows:
            lanes[lane].append((int(str(position)), int(str(received))))
        return [
            (earlier, later)
            for messages in lanes.values()
            for number, earlier in enumerate(messages)
            for later in messages[number + 1 :]
            if later[0] < earlier[0] and later[1] < earlier[1]
        ]

    async def sends(self) -> list["Sends"]:
        """Returns what became of each text of a chat: on the platform, and in the store."""
        rows = await self.rows("SELECT platform_id, ambiguous FROM channel_deliveries WHERE platform_id IS NOT NULL")
        ambiguous = {str(platform_id): int(str(number)) for platform_id, number in rows}
        taken: dict[tuple[str, str], list[str]] = defaultdict(list)
        for line in map(json.loads, self._ledger.read_text().splitlines()):
            taken[line["chat"], line["text"]].append(line["id"])
        return [
            Sends(*shown, taken=len(ids), ambiguous=tuple(ambiguous[each] for each in ids if each in ambiguous))
            for shown, ids in taken.items()
        ]


@contextmanager
def sqlite_store(folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    file = folder / "shared.db"

    def outage() -> None:
        with closing(sqlite3.connect(file, isolation_level=None, timeout=PATIENCE)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            time.sleep(OUTAGE_SECONDS)

    yield f"sqlite:///{file}", outage


@contextmanager
def postgres_store(_: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    with running_server() as server:

        def outage(server: PostgresServer = server) -> None:
            server.stop()
            time.sleep(OUTAGE_SECONDS)
            server.start()

        yield server.url_of("test"), outage


@asynccontextmanager
async def faults(servers: Servers, outage: Callable[[], None]) -> AsyncIterator["asyncio.Task[None]"]:
    """Kills servers within the block, one after another, with one outage of the database."""

    async def work() -> None:
        for number in range(KILLS):
            await asyncio.sleep(0.5)
            if number == KILLS // 2:
                await asyncio.to_thread(outage)
            await asyncio.to_thread(servers.kill_one)

    task = asyncio.create_task(work())
    try:
        yield task
    finally:
        await task


def variables_of(url: str, folder: Path) -> dict[str, str]:
    """Returns the environment of a server on the store, whose platform is the ledger."""
    return {
        "DATABASE_URL": url,
        **SECRETS,
        "PYTHONPATH": str(folder / "packages"),
        "LEDGER_FILE": str(folder / "ledger"),
        "CHANNELS": "ledger",
        "PUBLIC_URL": PUBLIC_URL,
        "LEASE_SECONDS": "3",
        "RATE_LIMIT": "off",
        "CHANNEL_USER_RATE_LIMIT": "off",
        "CHANNEL_INSTANCE_RATE_LIMIT": "off",
    }


def connect(folder: Path, variables: dict[str, str]) -> str:
    """Connects the instance to the ledger, and returns the path of its webhook."""
    command = ("channels", "connect", "demo-bot", "ledger", "--json", "--burst", BURST)
    connected = run_polyant(folder, *command, given=f"{TOKEN}\n", **variables)
    assert connected.returncode == 0, connected.stderr
    webhook: str = msgspec.json.decode(connected.stdout)["webhook"]
    return webhook.removeprefix(PUBLIC_URL)


@pytest.mark.timeout(WAIT * 20)
@pytest.mark.parametrize(("store", "processes"), [(sqlite_store, 2), (postgres_store, 4 if EVENTS > 1_000 else 2)])
async def test_each_message_is_answered_once_and_in_order(
    tmp_path: Path, store: Callable[[Path], AbstractContextManager[tuple[str, Callable[[], None]]]], processes: int
) -> None:
    packages, ledger = tmp_path / "packages", tmp_path / "ledger"
    packages.mkdir()
    install(packages, PACKAGE, SOURCE, [("channel", "ledger", "LedgerChannel")])
    with ExitStack() as stack:
        url, outage = stack.enter_context(store(tmp_path))
        variables = {
            "DATABASE_URL": url,
            **SECRETS,
            "PYTHONPATH": str(packages),
            "LEDGER_FILE": str(ledger),
            "CHANNELS": "ledger",
            "PUBLIC_URL": "https://bots.example",
            "LEASE_SECONDS": "3",
            "RATE_LIMIT": "off",
            "CHANNEL_USER_RATE_LIMIT": "off",
            "CHANNEL_INSTANCE_RATE_LIMIT": "off",
        }
        servers = Servers(tmp_path, variables, stack)
        servers.start()
        path = connect(tmp_path, variables)
        for _ in range(processes - 1):
            servers.start()
        async with PiccoloDatabase(url) as database:
            result = Result(database, ledger)
            began = time.monotonic()
            async with faults(servers, outage):
                await deliver(servers, path, deliveries())
            async with asyncio.timeout(WAIT):
                while not await result.is_idle():  # noqa: ASYNC110 - a database can't be awaited
                    await asyncio.sleep(0.2)
            seconds = time.monotonic() - began
            answered, violations = await result.answered(), await result.order_violations()
            sends = await result.sends()
            states = await result.rows("SELECT state, count(*) FROM channel_events GROUP BY state")
    doubled, marked = sum(each.doubled for each in sends), sum(sum(each.ambiguous) for each in sends)
    print(  # noqa: T201 - the figures of `just channels-soak`
        f"\n{store.__name__}: {EVENTS} events in {seconds:.0f} s, {servers.kills} kills, {states}; "
        f"lost {EVENTS - len(answered)}, doubled turns {sum(answered.values()) - len(answered)}, "
        f"order violations {len(violations)}, doubled sends {doubled}, marked as ambiguous {marked}"
    )
    assert states == [("answered", EVENTS)]
    assert answered == Counter(event.message_id for event in events())
    assert violations == []
    assert [each for each in sends if not each.is_accounted_for] == []


async def test_stopped_server_gives_running_turns_back_without_an_attempt(tmp_path: Path) -> None:
    packages, script = tmp_path / "packages", tmp_path / "script.json"
    packages.mkdir()
    install(packages, PACKAGE, SOURCE, [("channel", "ledger", "LedgerChannel")])
    script.write_text(json.dumps([{"steps": [[{"pause": 3_600}, {"text": "never"}]]}]))
    url = f"sqlite:///{tmp_path}/shared.db"
    variables = variables_of(url, tmp_path) | {"SHUTDOWN_SECONDS": "0.5", "DRAIN_SECONDS": "0.1"}
    with serving(tmp_path, **variables, SCRIPTED_TURNS=str(script)) as server:
        path = connect(tmp_path, variables)
        async with httpx.AsyncClient(timeout=PATIENCE) as client, PiccoloDatabase(url) as database:
            event = events()[0]
            body = msgspec.json.encode([event])
            response = await client.post(f"{server.url}{path}", content=body, headers={"x-fake-token": TOKEN})
            assert response.status_code == 200

            async def is_running() -> bool:
                return [tuple(row) for row in await database.run("SELECT attempts FROM channel_events")] == [(1,)]

            await until(is_running)
            server.stop()
            rows = await database.run(
                "SELECT event.attempts, lanes.owner FROM channel_events AS event JOIN lanes ON lanes.id = event.lane"
            )
            assert [tuple(row) for row in rows] == [(0, None)]


async def test_outage_that_outlasts_the_lease_costs_no_attempt(tmp_path: Path) -> None:
    packages, script = tmp_path / "packages", tmp_path / "script.json"
    packages.mkdir()
    install(packages, PACKAGE, SOURCE, [("channel", "ledger", "LedgerChannel")])
    script.write_text(json.dumps([{"steps": [[{"pause": 6}, {"text": "Hi"}]]}]))
    with running_server() as database_server:
        url = database_server.url_of("test")
        variables = variables_of(url, tmp_path) | {"LEASE_SECONDS": "1"}
        with serving(tmp_path, **variables, SCRIPTED_TURNS=str(script)) as server:
            path = connect(tmp_path, variables)
            async with httpx.AsyncClient(timeout=PATIENCE) as client:
                body = msgspec.json.encode([events()[0]])
                response = await client.post(f"{server.url}{path}", content=body, headers={"x-fake-token": TOKEN})
                assert response.status_code == 200
            await until(lambda: attempts_are(url, ("open", 1)))
            database_server.stop()
            await asyncio.sleep(2)  # the turn ends with its lease
            database_server.start()
            await until(lambda: attempts_are(url, ("answered", 1)))


async def attempts_are(url: str, expected: tuple[str, int]) -> bool:
    """Returns whether the only event has that state and number of attempts."""
    async with PiccoloDatabase(url) as database:
        try:
            rows = await database.run("SELECT state, attempts FROM channel_events")
        except Exception:  # noqa: BLE001 - the database may be starting
            return False
    return [tuple(row) for row in rows] == [expected]
