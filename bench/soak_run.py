"""One soak from beginning to end: rehearsal, rest, load, restart of the database, rest."""

import asyncio
import contextlib
import os
import platform
import subprocess
import time
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from typing import Any

import aiohttp

from bench.soak_callers import Callers
from bench.soak_checks import check
from bench.soak_client import Client
from bench.soak_operator import Operator
from bench.soak_report import Log, Report, Restart
from bench.soak_samples import Sample, Sampler
from bench.soak_scene import HEAL_SECONDS, Scene
from bench.soak_world import World

_SAMPLE_SECONDS = 5.0
_REHEARSAL_SECONDS = 20.0
_REST_SECONDS = 30.0
_AWAY_SECONDS = 10.0
_SAMPLES_AT_REST = 3
_KEEP_ALIVE_SECONDS = 3.0  # less than the server's, so that no request is sent on a connection that it is closing


class Soak:
    """One run."""

    def __init__(self, world: World, database_url: str, server: Any, *, rate: float, minutes: float) -> None:
        """Takes a server that can be stopped and started, or None."""
        self._world = world
        self._database_url = database_url
        self._server = server
        self._rate = rate
        self._seconds = minutes * 60
        self._samples: list[Sample] = []
        self._scene = Scene()
        self._restart: Restart | None = None

    async def run(self) -> Report:
        """Returns what was found."""
        begun_at = datetime.now(UTC)
        async with _session() as http, _session(force_close=True) as fresh:
            self._http = fresh
            self._sampler = Sampler(fresh, self._world, self._database_url)
            await self._play(
                Callers(Client(http, self._world.url, self._scene), self._scene),
                Operator(fresh, self._world, self._scene),
            )
        log = Log(self._world.log)
        return Report(
            begun_at=begun_at.isoformat(timespec="seconds"),
            commit=_commit(),
            machine=f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
            minutes=self._seconds / 60,
            rate=self._rate,
            samples=self._samples,
            counts=self._scene.book.counts,
            failures=self._scene.book.failures,
            restart=self._restart,
            log_levels=log.levels,
            warnings=log.warnings,
            bad_log_lines=log.bad_lines,
        )

    async def _play(self, callers: Callers, operator: Operator) -> None:
        await operator.set_up()
        _say(f"Rehearsal: {_REHEARSAL_SECONDS:.0f} s")
        async with _meanwhile(operator.work(), until=self._scene.writing):
            await callers.call(rate=self._rate, seconds=_REHEARSAL_SECONDS)
        await self._rest("rest")
        _say(f"Load: {self._seconds / 60:g} min at {self._rate:g} requests a second")
        async with (
            _meanwhile(self._watch()),
            _meanwhile(operator.work(), until=self._scene.writing),
            _meanwhile(self._restart_database(after=self._seconds / 2)),
        ):
            await callers.call(rate=self._rate, seconds=self._seconds)
        await self._rest("after")

    async def _rest(self, phase: str) -> None:
        """Waits until nothing is left that only has to run out, then looks what is held."""
        _say(f"Quiet: {_REST_SECONDS:.0f} s")
        await asyncio.sleep(_REST_SECONDS)
        for _ in range(_SAMPLES_AT_REST):
            await self._sample(phase)
            await asyncio.sleep(1)

    async def _watch(self) -> None:
        """Takes samples and reads the metrics, for ever."""
        next_at = time.monotonic()
        while True:
            with self._scene.book.entry("sample and metrics"):
                await self._sample("load")
                await self._read_metrics()
            next_at += _SAMPLE_SECONDS
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))

    async def _sample(self, phase: str) -> None:
        self._samples.append(await self._sampler.sample(phase, self._scene.book))

    async def _read_metrics(self) -> None:
        headers = {"Authorization": f"Bearer {self._world.metrics_token}"}
        async with self._http.get(f"{self._world.url}/metrics", headers=headers) as response:
            check(response.status, 200, "the status")
            check(b"\npolyant_turns_total{" in await response.read(), True, "whether turns are counted")

    async def _restart_database(self, *, after: float) -> None:
        if self._server is None:
            return
        await asyncio.sleep(after)
        scene = self._scene
        async with scene.writing:
            _say(f"The database goes away for {_AWAY_SECONDS:.0f} s")
            scene.outage.begin()
            down_at = scene.book.now()
            await asyncio.to_thread(self._server.stop)
            await asyncio.sleep(_AWAY_SECONDS)
            await asyncio.to_thread(self._server.start)
            scene.outage.end()
            up_at = scene.book.now()
            await asyncio.sleep(HEAL_SECONDS)
            self._restart = Restart(down_at, up_at, scene.book.last_away_at)


def _session(*, force_close: bool = False) -> aiohttp.ClientSession:
    keep_alive = None if force_close else _KEEP_ALIVE_SECONDS
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=force_close, keepalive_timeout=keep_alive),
        timeout=aiohttp.ClientTimeout(total=None),
        read_bufsize=2**20,
    )


@contextlib.asynccontextmanager
async def _meanwhile(work: Coroutine[Any, Any, None], *, until: asyncio.Lock | None = None) -> AsyncIterator[None]:
    """Does the work besides; ends it at the end, as soon as the lock is free."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        async with until or contextlib.nullcontext():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _commit() -> str:
    described = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return described.stdout.strip() or "no commit"


def _say(what: str) -> None:
    print(what, flush=True)
