"""How long it takes to start, and how much memory a worker has."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request

from bench.figures import TIMES, Aim, Figure, middle, sample
from bench.processes import ROOT, Process, free_port, python
from bench.stage import RELAY, Stage

_TIMES = 5
_BODY = b'{"model":"demo-bot","messages":[{"role":"user","content":"Hello!"}]}'
_IMPORT = "import time; began = time.process_time(); import polyant.bootstrap; print(time.process_time() - began)"


class _Start(NamedTuple):
    """Seconds from the command to the first answer."""

    clock: float
    cpu: float


def starts(stage: Stage) -> Iterator[Figure]:
    """`polyant serve` on SQLite, from the command to the first answer of `demo-bot`, in CPU time."""
    relay, first, later = zip(*(_starts(stage, f"home {number}") for number in range(_TIMES)), strict=True)
    yield middle("bare relay", [start.cpu for start in relay], "s")
    yield middle("first start, with migration and keys", [start.cpu for start in first], "s")
    yield middle("later starts", [start.cpu for start in later], "s")
    yield middle("later starts, by the clock", [start.clock for start in later], "s")
    yield middle("`import polyant.bootstrap`", [_import() for _ in range(_TIMES)], "s")
    yield _quotient("first start / bare relay", first, relay, Aim("<=", 8))
    yield _quotient("later starts / bare relay", later, relay, Aim("<=", 6))


def memory(stage: Stage) -> Iterator[Figure]:
    """Resident memory of a worker on PostgreSQL, after load."""
    engine = stage.engine()
    for options in ({}, {"history": 100}, {"stream": True}):
        sample(stage, engine, engine.asking(seconds=1, **options))
    yield Figure(what="a worker after load", value=engine.process.rss(), unit="MiB", aim=Aim("<=", 110))
    yield Figure(what="the bare relay after load", value=stage.relay.process.rss(), unit="MiB")


def _starts(stage: Stage, home: str) -> tuple[_Start, _Start, _Start]:
    """Returns a start of the bare relay, one of the engine without data, and one with them."""
    engine = python("-m", "polyant", "serve", "--port", "{port}", "--home", str(stage.folder / home))
    log = stage.folder / f"{home}.log"
    return _start(RELAY, log, STUB=stage.url_of(stage.stub)), _start(engine, log), _start(engine, log)


def _start(command: Sequence[str], log: Path, **environ: str) -> _Start:
    port = free_port()
    began = time.perf_counter()
    process = Process([part.replace("{port}", str(port)) for part in command], environ=environ, log=log)
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    try:
        process.wait_until_it_answers(Request(url, _BODY, {"Content-Type": "application/json"}))
        return _Start(clock=time.perf_counter() - began, cpu=process.cpu())
    finally:
        process.end()


def _quotient(what: str, above: Sequence[_Start], below: Sequence[_Start], aim: Aim) -> Figure:
    return middle(what, [one.cpu / other.cpu for one, other in zip(above, below, strict=True)], TIMES, aim)


def _import() -> float:
    done = subprocess.run(python("-c", _IMPORT), cwd=ROOT, check=True, capture_output=True)
    return float(done.stdout)
