"""One soak from start to end: warm-up, rest, load with a restart of the database, rest."""

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
from bench.soak_harness import SoakHarness
from bench.soak_hostile import HostileClients
from bench.soak_operator import Operator
from bench.soak_report import Log, Report, Restart
from bench.soak_samples import Sample, Sampler
from bench.soak_scenario import RECOVERY_SECONDS, OutcomeCounter, Scenario

_SAMPLE_SECONDS = 5.0
_WARM_UP_SECONDS = 20.0
_REST_SECONDS = 30.0
_OUTAGE_SECONDS = 10.0
_ATTACK_SECONDS = 90.0
"""The duration of each attack, and of each period without one; longer than the server's time limits."""
_SAMPLES_AT_REST = 3
_KEEP_ALIVE_SECONDS = 3.0  # shorter than the server's, so that no request uses a connection that the server is closing


class Soak:
    """One soak."""

    def __init__(self, harness: SoakHarness, database_url: str, server: Any, *, rate: float, minutes: float) -> None:
        """Creates a soak.

        Args:
            harness: The running processes.
            database_url: The database of the engine.
            server: The PostgreSQL server to restart halfway; None to skip that.
            rate: Requests per second.
            minutes: The duration of the load.
        """
        self._harness = harness
        self._database_url = database_url
        self._server = server
        self._rate = rate
        self._seconds = minutes * 60
        self._samples: list[Sample] = []
        self._scenario = Scenario()
        self._hostile_outcomes = OutcomeCounter()
        self._under_attack = False
        self._restart: Restart | None = None

    async def run(self) -> Report:
        """Returns the report."""
        begun_at = datetime.now(UTC)
        async with _session() as http, _session(force_close=True) as fresh:
            self._http = fresh
            self._sampler = Sampler(fresh, self._harness, self._database_url)
            await self._run_phases(
                Callers(Client(http, self._harness.url, self._scenario), self._scenario),
                Operator(fresh, self._harness, self._scenario),
            )
        log = Log(self._harness.log)
        return Report(
            begun_at=begun_at.isoformat(timespec="seconds"),
            commit=_commit(),
            machine=f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
            minutes=self._seconds / 60,
            rate=self._rate,
            samples=self._samples,
            counts=self._scenario.outcomes.counts | self._hostile_outcomes.counts,
            failures=self._scenario.outcomes.failures + self._hostile_outcomes.failures,
            restart=self._restart,
            log_levels=log.levels,
            warnings=log.warnings,
            bad_log_lines=log.bad_lines,
        )

    async def _run_phases(self, callers: Callers, operator: Operator) -> None:
        await operator.set_up()
        _print(f"Warm-up: {_WARM_UP_SECONDS:.0f} s")
        async with _in_background(operator.work(), until=self._scenario.writing):
            await callers.call(rate=self._rate, seconds=_WARM_UP_SECONDS)
        await self._rest("rest")
        _print(f"Load: {self._seconds / 60:g} min at {self._rate:g} requests per second")
        async with (
            _in_background(self._watch()),
            _in_background(operator.work(), until=self._scenario.writing),
            _in_background(self._restart_database(after=self._seconds / 2)),
            _in_background(self._attack_at_intervals()),
        ):
            await callers.call(rate=self._rate, seconds=self._seconds)
        await self._rest("after")

    async def _rest(self, phase: str) -> None:
        """Waits until timeouts have expired, then samples the resources that are held."""
        _print(f"Quiet: {_REST_SECONDS:.0f} s")
        await asyncio.sleep(_REST_SECONDS)
        for _ in range(_SAMPLES_AT_REST):
            await self._sample(phase)
            await asyncio.sleep(1)

    async def _watch(self) -> None:
        """Takes samples and reads the metrics until it is cancelled."""
        next_at = time.monotonic()
        while True:
            with self._scenario.outcomes.entry("sample and metrics"):
                await self._sample("load")
                await self._read_metrics()
            next_at += _SAMPLE_SECONDS
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))

    async def _sample(self, phase: str) -> None:
        self._samples.append(
            await self._sampler.sample(phase, self._scenario.outcomes, under_attack=self._under_attack)
        )

    async def _attack_at_intervals(self) -> None:
        """Alternates periods without and with hostile clients, so that both meet the same machine."""
        hostile = HostileClients(self._harness, self._scenario, self._hostile_outcomes)
        while True:
            await asyncio.sleep(_ATTACK_SECONDS)
            self._under_attack = True
            async with _in_background(hostile.attack()):
                await asyncio.sleep(_ATTACK_SECONDS)
            self._under_attack = False

    async def _read_metrics(self) -> None:
        headers = {"Authorization": f"Bearer {self._harness.metrics_token}"}
        async with self._http.get(f"{self._harness.url}/metrics", headers=headers) as response:
            check(response.status, 200, "the status")
            check(b"\npolyant_turns_total{" in await response.read(), True, "whether turns are counted")

    async def _restart_database(self, *, after: float) -> None:
        if self._server is None:
            return
        await asyncio.sleep(after)
        scenario = self._scenario
        async with scenario.writing:
            _print(f"The database is stopped for {_OUTAGE_SECONDS:.0f} s")
            scenario.outage.begin()
            down_at = scenario.outcomes.now()
            await asyncio.to_thread(self._server.stop)
            await asyncio.sleep(_OUTAGE_SECONDS)
            await asyncio.to_thread(self._server.start)
            scenario.outage.end()
            up_at = scenario.outcomes.now()
            await asyncio.sleep(RECOVERY_SECONDS)
            self._restart = Restart(down_at, up_at, scenario.outcomes.last_unavailable_at)


def _session(*, force_close: bool = False) -> aiohttp.ClientSession:
    keep_alive = None if force_close else _KEEP_ALIVE_SECONDS
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=force_close, keepalive_timeout=keep_alive),
        timeout=aiohttp.ClientTimeout(total=None),
        read_bufsize=2**20,
    )


@contextlib.asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, None], *, until: asyncio.Lock | None = None) -> AsyncIterator[None]:
    """Runs the work during the context, and cancels it at the end, as soon as the lock is free."""
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


def _print(what: str) -> None:
    print(what, flush=True)
