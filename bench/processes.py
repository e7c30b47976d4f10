"""Processes of a run: started, waited for, measured and ended."""

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
_PATIENCE = 60
_ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""A user's Python keeps what it has compiled for the next start."""


class Process:
    """A program and all that it has started."""

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
        """Returns the process and its descendants."""
        return family_of(self._process.pid)

    def cpu(self) -> float:
        """Returns the CPU seconds that all of them have used so far."""
        return sum(map(cpu_of, self.pids()))

    def rss(self) -> float:
        """Returns the resident memory of the largest in MiB: that of a worker, if it has workers."""
        return max(map(_rss_of, self.pids()))

    def wait_until_it_answers(self, request: Request) -> None:
        """Returns once the request is answered with success; ends the run if the program ends before."""
        patience_ends = time.monotonic() + _PATIENCE
        while not _is_answered(request):
            if self._process.poll() is not None or time.monotonic() > patience_ends:
                raise SystemExit(f"bench: no answer at {request.full_url}\n{self._log.read_text()[-2_000:]}")
            time.sleep(0.005)

    def end(self) -> None:
        """Has it stop, and waits for that."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def running(*command: str, log: Path, environ: Mapping[str, str] | None = None, answers: str = "") -> Iterator[Process]:
    """Runs a program as long as the context lasts, from when the URL `answers`."""
    process = Process(command, environ=environ or {}, log=log)
    try:
        if answers:
            process.wait_until_it_answers(Request(answers))  # noqa: S310 - the same
        yield process
    finally:
        process.end()


def output(*command: str, environ: Mapping[str, str] | None = None, cwd: Path = ROOT) -> bytes:
    """Returns what a command prints.

    Raises:
        SystemExit: It fails.
    """
    done = subprocess.run(command, cwd=cwd, env={**_ENVIRON, **(environ or {})}, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: `{' '.join(command)}` failed: {done.stderr.decode().strip()[-500:]}")
    return done.stdout


def python(*arguments: str) -> tuple[str, ...]:
    """Returns the command that runs this Python."""
    return (sys.executable, *arguments)


def free_port() -> int:
    """Returns a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family_of(pid: int) -> list[int]:
    """Returns a process and its descendants."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in children.read_text().split():
                found += family_of(int(child))
    return found


def cpu_of(pid: int) -> float:
    """Returns the CPU seconds that a process has used so far, 0 if it is gone.

    This is the clock of clock_getcpuclockid(3): what /proc/PID/stat counts in hundredths of a second, in nanoseconds.
    """
    with suppress(OSError):
        return time.clock_gettime(~pid << 3 | 2)
    return 0.0


class Peak:
    """The highest resident memory of a process while the context lasts, looked at ten times a second."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        """Begins to look."""
        self.before = self.rss = self._process.rss()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.rss = max(self.rss, self._process.rss())


def _rss_of(pid: int) -> float:
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1_024
    return 0.0


def _is_answered(request: Request) -> bool:
    with suppress(OSError), urlopen(request, timeout=_PATIENCE):  # noqa: S310 - a server of this run
        return True
    return False
