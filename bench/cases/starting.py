"""The time to start, and the memory of a worker."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request

from bench.figures import TIMES, Aim, Figure, median, sample
from bench.harness import RELAY, Harness
from bench.processes import ROOT, Process, free_port, python

_TIMES = 5
_BODY = b'{"model":"demo-bot","messages":[{"role":"user","content":"Hello!"}]}'
_IMPORT = "import time; began = time.process_time(); import polyant.bootstrap; print(time.process_time() - began)"


class _Start(NamedTuple):
    """Seconds from the command to the first response."""

    clock: float
    cpu: float


def starts(harness: Harness) -> Iterator[Figure]:
    """`polyant serve` on SQLite, from the command to the first response of `demo-bot`, in CPU time."""
    relay, first, later = zip(*(_starts(harness, f"home {number}") for number in range(_TIMES)), strict=True)
    yield median("bare relay", [start.cpu for start in relay], "s")
    yield median("first start, with migration and keys", [start.cpu for start in first], "s")
    yield median("later starts", [start.cpu for start in later], "s")
    yield median("later starts, wall-clock time", [start.clock for start in later], "s")
    yield median("`import polyant.bootstrap`", [_import_seconds() for _ in range(_TIMES)], "s")
    yield _ratio("first start / bare relay", first, relay, Aim("<=", 8))
    yield _ratio("later starts / bare relay", later, relay, Aim("<=", 6))


def memory(harness: Harness) -> Iterator[Figure]:
    """Resident memory of a worker on PostgreSQL, after load."""
    engine = harness.engine()
    for options in ({}, {"history": 100}, {"stream": True}):
        sample(harness, engine, engine.load(seconds=1, **options))
    yield Figure(name="a worker after load", value=engine.process.rss(), unit="MiB", aim=Aim("<=", 110))
    yield Figure(name="the bare relay after load", value=harness.relay.process.rss(), unit="MiB")


def _starts(harness: Harness, home: str) -> tuple[_Start, _Start, _Start]:
    """Returns a start of the bare relay, one of the engine without data, and one with data."""
    engine = python("-m", "polyant", "serve", "--port", "{port}", "--home", str(harness.folder / home))
    log = harness.folder / f"{home}.log"
    return _start(RELAY, log, STUB=harness.url_of(harness.stub)), _start(engine, log), _start(engine, log)


def _start(command: Sequence[str], log: Path, **environ: str) -> _Start:
    port = free_port()
    began = time.perf_counter()
    process = Process([part.replace("{port}", str(port)) for part in command], environ=environ, log=log)
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    try:
        process.wait_until_ready(Request(url, _BODY, {"Content-Type": "application/json"}))
        return _Start(clock=time.perf_counter() - began, cpu=process.cpu())
    finally:
        process.end()


def _ratio(name: str, numerator: Sequence[_Start], denominator: Sequence[_Start], aim: Aim) -> Figure:
    return median(name, [one.cpu / other.cpu for one, other in zip(numerator, denominator, strict=True)], TIMES, aim)


def _import_seconds() -> float:
    done = subprocess.run(python("-c", _IMPORT), cwd=ROOT, check=True, capture_output=True)
    return float(done.stdout)
