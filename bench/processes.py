"""The processes of a run: starts, awaits, measures and stops them."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.request import Request, urlopen

ROOT = Path(__file__).parent.parent
_TIMEOUT_SECONDS = 60
_ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Without PYTHONDONTWRITEBYTECODE, so that bytecode is cached as on a user's machine."""


class Process:
    """A program and all its descendants."""

    def __init__(self, command: Sequence[str], *, environ: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("w") as output:
            self._process = subprocess.Popen(
                command,
                env={**_ENVIRON, **environ},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def pids(self) -> list[int]:
        """Returns the ids of the process and its descendants."""
        return family_of(self._process.pid)

    def cpu(self) -> float:
        """Returns the CPU seconds that the process and its descendants have used so far."""
        return sum(map(cpu_of, self.pids()))

    def rss(self) -> float:
        """Returns the resident memory of the largest process in MiB: of a worker, if there are workers."""
        return max(map(_rss_of, self.pids()))

    def wait_until_ready(self, request: Request) -> None:
        """Returns once the request succeeds.

        Raises:
            SystemExit: The program ended, or the request didn't succeed in time.
        """
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while not _is_answered(request):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: no response from {request.full_url}\n{self._log.read_text()[-2_000:]}")
            time.sleep(0.005)

    def end(self) -> None:
        """Stops the process and waits until it has ended."""
        self._process.terminate()
        try:
            self._process.wait(_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def running(*command: str, log: Path, environ: Mapping[str, str] | None = None, ready: str = "") -> Iterator[Process]:
    """Runs a program during the context, which begins once the URL `ready` responds."""
    process = Process(command, environ=environ or {}, log=log)
    try:
        if ready:
            process.wait_until_ready(Request(ready))  # noqa: S310 - a server of this run
        yield process
    finally:
        process.end()


def output(*command: str, environ: Mapping[str, str] | None = None, cwd: Path = ROOT) -> bytes:
    """Returns the standard output of a command.

    Raises:
        SystemExit: The command fails.
    """
    done = subprocess.run(command, cwd=cwd, env={**_ENVIRON, **(environ or {})}, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: `{' '.join(command)}` failed: {done.stderr.decode().strip()[-500:]}")
    return done.stdout


def python(*arguments: str) -> tuple[str, ...]:
    """Returns the command line that runs this Python with the arguments."""
    return (sys.executable, *arguments)


def free_port() -> int:
    """Returns a local port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family_of(pid: int) -> list[int]:
    """Returns the ids of a process and its descendants."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in children.read_text().split():
                found += family_of(int(child))
    return found


def cpu_of(pid: int) -> float:
    """Returns the CPU seconds that a process has used so far; 0 if it has ended.

    Uses the clock of clock_getcpuclockid(3), which has nanoseconds where /proc/PID/stat has hundredths of a second.
    """
    with suppress(OSError):
        return time.clock_gettime(~pid << 3 | 2)
    return 0.0


class Peak:
    """The highest resident memory of a process during the context, sampled ten times per second."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        """Starts sampling."""
        self.before = self.rss = self._process.rss()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops sampling."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(0.1):
            self.rss = max(self.rss, self._process.rss())


def _rss_of(pid: int) -> float:
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1_024
    return 0.0


def _is_answered(request: Request) -> bool:
    with suppress(OSError), urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310 - a server of this run
        return True
    return False
