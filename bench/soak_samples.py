"""What the engine's processes hold: memory, threads, descriptors by kind, tasks, and connections to the database."""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp
import asyncpg  # type: ignore[import-untyped] # it ships none
import msgspec

from bench.processes import cpu_of
from bench.soak_scene import Book
from bench.soak_world import TASKS, World

_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
_ATTEMPTS = 60
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'polyant'"


class ProcessSample(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the engine."""

    pid: int
    is_worker: bool
    rss_mb: float
    cpu_seconds: float
    threads: int
    descriptors: Mapping[str, int]
    tasks: int | None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """All of them at one moment."""

    at: float
    phase: str
    requests: int
    """So far; of them `away` were answered 503 because the database was away."""
    away: int
    database_connections: int | None
    """None while the database is away."""
    processes: tuple[ProcessSample, ...]

    @property
    def workers(self) -> tuple[ProcessSample, ...]:
        """The processes that serve."""
        return tuple(process for process in self.processes if process.is_worker)

    def descriptors(self, kind: str) -> int:
        """Returns how many descriptors of that kind the workers hold together."""
        return sum(worker.descriptors.get(kind, 0) for worker in self.workers)


class Sampler:
    """Looks at the engine from outside, but for the tasks, which it asks each worker for."""

    def __init__(self, http: aiohttp.ClientSession, world: World, database_url: str) -> None:
        """Takes a session that makes a connection for each request, and what to look at."""
        self._http = http
        self._world = world
        self._database_url = database_url

    async def sample(self, phase: str, book: Book) -> Sample:
        """Returns how things are now; the database and the workers, which may take their time, are asked last."""
        at, requests, away = round(book.now(), 1), book.total, book.away
        kinds = _socket_kinds(self._world.port, self._world.upstream_port)
        seen = [_process(pid, _descriptors(pid, kinds)) for pid in self._world.engine.pids()]
        connections = await self._connections()
        tasks = await self._tasks({process.pid for process in seen if process.is_worker})
        return Sample(
            at=at,
            phase=phase,
            requests=requests,
            away=away,
            database_connections=connections,
            processes=tuple(msgspec.structs.replace(process, tasks=tasks.get(process.pid)) for process in seen),
        )

    async def _connections(self) -> int | None:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            connection = await asyncpg.connect(self._database_url, timeout=2)
            try:
                count: int = await connection.fetchval(_CONNECTIONS)
            finally:
                await connection.close()
            return count
        return None

    async def _tasks(self, workers: set[int]) -> dict[int, int]:
        """Returns the number of tasks of each worker; asks until each has answered, the system chooses which."""
        found: dict[int, int] = {}
        for _ in range(_ATTEMPTS):
            if found.keys() >= workers:
                break
            async with self._http.get(self._world.url + TASKS) as response:
                said = await response.json()
            found[said["pid"]] = said["tasks"]
        return found


def _process(pid: int, descriptors: Mapping[str, int]) -> ProcessSample:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return ProcessSample(
        pid=pid,
        is_worker=b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes(),
        rss_mb=round(int(fields[21]) * _PAGE_MB, 2),
        cpu_seconds=round(cpu_of(pid), 2),
        threads=int(fields[17]),
        descriptors=descriptors,
        tasks=None,
    )


def _descriptors(pid: int, kinds: Mapping[str, str]) -> dict[str, int]:
    """Returns how many descriptors the process has, by kind: client, upstream, other socket, other."""
    found = Counter[str]()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            target = str(descriptor.readlink())
            found[kinds.get(target, "other socket") if target.startswith("socket:") else "other"] += 1
    return dict(found)


def _socket_kinds(port: int, upstream: int) -> dict[str, str]:
    """Returns the kind of each TCP socket that a client or the upstream is connected to."""
    kinds = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, remote, _, _, _, _, _, _, inode, *_ = line.split()
            local_port, remote_port = (int(address.rpartition(":")[2], 16) for address in (local, remote))
            if remote_port == upstream:
                kinds[f"socket:[{inode}]"] = "upstream"
            elif local_port == port and remote_port:
                kinds[f"socket:[{inode}]"] = "client"
    return kinds
