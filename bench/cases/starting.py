"""How long it takes to start, and how much memory a worker has."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request

from bench.figures import Aim, Figure, middle, sample
from bench.processes import ROOT, Process, free_port, python
from bench.stage import Stage

_TIMES = 5
_BODY = b'{"model":"demo-bot","messages":[{"role":"user","content":"Hello!"}]}'
_IMPORT = "import time; began = time.process_time(); import polyant.bootstrap; print(time.process_time() - began)"


def starts(stage: Stage) -> Iterator[Figure]:
    """`polyant serve` on SQLite, from the command to the first answer of `demo-bot`."""
    home = stage.folder / "first home"
    seconds, cpu = _start(home)
    yield Figure(what="first start, with migration and keys", value=seconds, unit="s", aim=Aim("<=", 3))
    yield Figure(what="CPU of the first start", value=cpu, unit="s")
    later = [_start(home) for _ in range(_TIMES)]
    yield middle("later starts", [wall for wall, _ in later], "s", Aim("<=", 1.5))
    yield middle("CPU of later starts", [used for _, used in later], "s")
    yield middle("CPU of `import polyant.bootstrap`", [_import() for _ in range(_TIMES)], "s")


def memory(stage: Stage) -> Iterator[Figure]:
    """Resident memory of a worker on PostgreSQL, after load."""
    engine = stage.engine()
    for options in ({}, {"history": 100}, {"stream": True}):
        sample(stage, engine, engine.asking(seconds=1, **options))
    yield Figure(what="a worker after load", value=engine.process.rss(), unit="MiB", aim=Aim("<=", 110))
    yield Figure(what="the bare relay after load", value=stage.relay.process.rss(), unit="MiB")


def _start(home: Path) -> tuple[float, float]:
    """Returns the seconds, and the CPU seconds, that a server takes from nothing to its first answer."""
    port = free_port()
    began = time.perf_counter()
    process = Process(
        python("-m", "polyant", "serve", "--port", str(port), "--home", str(home)),
        environ={},
        log=home.with_suffix(".log"),
    )
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    try:
        process.wait_until_it_answers(Request(url, _BODY, {"Content-Type": "application/json"}))
        return time.perf_counter() - began, process.cpu()
    finally:
        process.end()


def _import() -> float:
    done = subprocess.run(python("-c", _IMPORT), cwd=ROOT, check=True, capture_output=True)
    return float(done.stdout)
