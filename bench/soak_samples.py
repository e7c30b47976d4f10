"""Samples of the engine's processes: memory, threads, descriptors by kind, tasks, and database connections."""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp
import asyncpg  # type: ignore[import-untyped] # it ships none
import msgspec

from bench.processes import cpu_of
from bench.soak_harness import TASKS, SoakHarness
from bench.soak_scenario import OutcomeCounter

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
    """All processes of the engine at one moment."""

    at: float
    phase: str
    requests: int
    """The number of requests so far; `away` of them failed with 503 because the database was down."""
    away: int
    database_connections: int | None
    """None while the database is down."""
    under_attack: bool = False
    """Whether hostile clients were at work."""
    processes: tuple[ProcessSample, ...]

    @property
    def workers(self) -> tuple[ProcessSample, ...]:
        """The worker processes."""
        return tuple(process for process in self.processes if process.is_worker)

    @property
    def cpu_seconds(self) -> float:
        """The CPU time of all processes so far."""
        return sum(process.cpu_seconds for process in self.processes)

    def descriptors(self, kind: str) -> int:
        """Returns the total number of descriptors of that kind in all workers."""
        return sum(worker.descriptors.get(kind, 0) for worker in self.workers)


class Sampler:
    """Samples the engine from outside, except for the tasks, which each worker reports."""

    def __init__(self, http: aiohttp.ClientSession, harness: SoakHarness, database_url: str) -> None:
        """Creates a sampler.

        Args:
            http: A session that opens a new connection for each request.
            harness: The running processes.
            database_url: The database whose connections are counted.
        """
        self._http = http
        self._harness = harness
        self._database_url = database_url

    async def sample(self, phase: str, outcomes: OutcomeCounter, *, under_attack: bool) -> Sample:
        """Returns the current state; the database and the workers, which may be slow, are queried last."""
        at, requests, away = round(outcomes.now(), 1), outcomes.total, outcomes.away
        kinds = _socket_kinds(self._harness.port, self._harness.upstream_port)
        seen = [_process(pid, _descriptors(pid, kinds)) for pid in self._harness.engine.pids()]
        connections = await self._connections()
        tasks = await self._tasks({process.pid for process in seen if process.is_worker})
        return Sample(
            at=at,
            phase=phase,
            requests=requests,
            away=away,
            database_connections=connections,
            under_attack=under_attack,
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
        """Returns the number of tasks of each worker.

        Repeats the request until each worker has responded, because the system chooses the worker.
        """
        found: dict[int, int] = {}
        for _ in range(_ATTEMPTS):
            if found.keys() >= workers:
                break
            async with self._http.get(self._harness.url + TASKS) as response:
                report = await response.json()
            found[report["pid"]] = report["tasks"]
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
    """Returns the number of the process's descriptors, by kind: client, upstream, other socket, other."""
    found = Counter[str]()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed in the meantime
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
