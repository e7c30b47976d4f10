"""Polyant in a separate process with its own environment, started as a user starts it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from support import launching
from support.patience import PATIENCE

POLYANT = (sys.executable, "-m", "polyant")
UVICORN = (
    sys.executable,
    "-m",
    "uvicorn",
    "--factory",
    "polyant.bootstrap:create_app",
    "--no-proxy-headers",
    *("--http", "polyant.http.protocol:HttpProtocol"),
)
SERVE = (*POLYANT, "serve", "--port", "0")
EXECUTED = ("env",)
"""Before a command: it and its workers are executed as a user would do it, not run in forks with imported modules."""
SECRETS = {"ENCRYPTION_KEY": "0123456789abcdef" * 4, "AUTH_SECRET": "a secret of more than thirty-two characters"}
"""The variables that a server on PostgreSQL requires."""

_READY = re.compile(r"polyant (keys issue|instances create) \S+\n")


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Returns an environment with only these variables, `PATH` and `HOME`."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}


def run_polyant(
    folder: Path, *arguments: str, given: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Returns the result of one command; `given` is its standard input."""
    return run(folder, (*POLYANT, *arguments), given=given, **variables)


def run(
    folder: Path, command: Sequence[str], timeout: float = PATIENCE, /, *, given: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Returns the result of any command, which has to end within `timeout` seconds; `given` is its standard input."""
    with TemporaryFile("w+") as stdin, TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        stdin.write(given or "")
        stdin.seek(0)
        process = launching.start(
            command,
            cwd=folder,
            env=environment(folder, **variables),
            stdin=None if given is None else stdin,
            stdout=stdout,
            stderr=stderr,
        )
        code = process.wait(timeout)
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(command, code, stdout.read(), stderr.read())


def eventually(poll: Callable[[], object], expected: object) -> None:
    """Returns once `poll` returns the expected value; a change by another process can't be awaited."""
    patience_ends = time.monotonic() + PATIENCE
    while (seen := poll()) != expected:
        assert time.monotonic() < patience_ends, f"got {seen!r}, expected {expected!r}"
        time.sleep(0.02)


class Output:
    """The output of a process so far."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe
        self._text = ""
        self._ended = False
        self._updated = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return self._text

    def wait_for(self, pattern: str | re.Pattern[str]) -> re.Match[str]:
        """Returns the first match once the process has written it."""
        with self._updated:
            self._updated.wait_for(lambda: self._ended or re.search(pattern, self._text), PATIENCE)
        found = re.search(pattern, self._text)
        assert found, f"no {pattern!r} in: {self._text}"
        return found

    def close(self) -> None:
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive(), "a child process still holds the output open"
        self._pipe.close()

    def _read(self) -> None:
        for line in self._pipe:
            with self._updated:
                self._text += line
                self._updated.notify_all()
        with self._updated:
            self._ended = True
            self._updated.notify_all()


class Server:
    """A running server."""

    def __init__(self, process: launching.Process, folder: Path, *, stdout: IO[str], stderr: IO[str]) -> None:
        self.folder = folder
        self.stdout = Output(stdout)
        self.stderr = Output(stderr)
        self.url = ""
        self._process = process

    def wait_until_ready(self) -> None:
        """Returns once the server has printed its whole banner."""
        self.url = self.stdout.wait_for(r"Base URL +(\S+)/v1")[1]
        self.stdout.wait_for(_READY)

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def send_group(self, number: signal.Signals) -> None:
        """Sends the signal to the process and its children, as Ctrl-C in a terminal does."""
        self._process.send_group_signal(number)

    def workers(self) -> set[int]:
        """Returns the process ids of the live workers."""
        tree = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return {int(child) for child in tree.split() if _is_worker(child)}

    def wait(self) -> int:
        """Returns the exit code once the process and all its children have ended."""
        code = self._process.wait()
        # The pipes end only when no process holds them open, children included.
        self.stdout.close()
        self.stderr.close()
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.send(number)
        return self.wait()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self.send_group(signal.SIGKILL)
        self.wait()


def _is_worker(process: str) -> bool:
    try:
        return b"resource_tracker" not in Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return False


@contextmanager
def starting(folder: Path, command: Sequence[str] = SERVE, **variables: str) -> Iterator[Server]:
    """Yields a server that may not be ready yet; at the end of the block, it must have ended or end on SIGTERM."""
    (stdout, stdout_end), (stderr, stderr_end) = os.pipe(), os.pipe()
    try:
        process = launching.start(
            command,
            cwd=folder,
            env=environment(folder, **variables),
            stdout=stdout_end,
            stderr=stderr_end,
        )
    finally:
        os.close(stdout_end)
        os.close(stderr_end)
    server = Server(process, folder, stdout=os.fdopen(stdout), stderr=os.fdopen(stderr))
    try:
        yield server
        if server.is_running:
            assert server.stop() in {0, -signal.SIGTERM}, server.stderr.text
    finally:
        if server.is_running:
            server.kill()


@contextmanager
def serving(folder: Path, *options: str, before: Sequence[str] = (), **variables: str) -> Iterator[Server]:
    """Yields a server that has reported that it is ready; `before` comes before its command, such as `EXECUTED`."""
    with starting(folder, (*before, *SERVE, *options), **variables) as server:
        server.wait_until_ready()
        yield server


@contextmanager
def uvicorn_serving(folder: Path, *options: str, **variables: str) -> Iterator[Server]:
    """Yields a server that uvicorn's own command line runs."""
    with starting(folder, (*UVICORN, "--port", "0", *options), **variables) as server:
        server.url = server.stderr.wait_for(r"running on (http://\S+)")[1]
        yield server
