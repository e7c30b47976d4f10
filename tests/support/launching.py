"""Starts processes through this test process's launcher, so that none of them outlives it."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from support.patience import PATIENCE

_LAUNCHER = Path(__file__).with_name("launcher.py")


class Process:
    """A process that the launcher started; it leads its own session and process group."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        """Returns the exit code, negative for a signal, or None while the process runs."""
        return self._code

    def wait(self, timeout: float = PATIENCE) -> int:
        """Returns the exit code once the process has ended.

        Args:
            timeout: How long to wait, in seconds.

        Raises:
            TimeoutError: The process is still running.
        """
        if not self._ended.wait(timeout):
            raise TimeoutError(f"process {self.pid} is still running")
        assert self._code is not None
        return self._code

    def send_signal(self, number: signal.Signals) -> None:
        """Sends the signal, unless the process has ended."""
        if self._code is None:
            # The launcher may have reaped it without this process knowing yet.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def send_group_signal(self, number: signal.Signals) -> None:
        """Sends the signal to the process and its descendants that still run."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def state(self) -> str:
        """Returns the state that Linux reports: R for running, S for sleeping (waiting for an event), and others."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return ""

    def has_ended(self, code: int) -> None:
        self._code = code
        self._ended.set()


class _Launcher:
    """The test process's end of the connection to its launcher."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        # Only PYTHONPATH may affect the launcher's imports: it may point to a mutated copy.
        environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, _LAUNCHER, str(theirs.fileno())],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._processes: dict[int, Process] = {}
        self._one_request = threading.Lock()
        self._answered = threading.Semaphore(0)
        self._started: Process | None = None
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def close(self) -> None:
        """Stops the launcher, which kills the processes that are still running."""
        self._control.shutdown(socket.SHUT_RDWR)
        self._process.wait(PATIENCE)
        self._listener.join(PATIENCE)
        self._control.close()

    def start(self, descriptors: Sequence[int], **request: Any) -> Process:
        with self._one_request:
            self._ask({"do": "start", **request}, descriptors)
            assert self._started is not None
            return self._started

    def request(self, **request: Any) -> None:
        with self._one_request:
            self._ask(request, [])

    def _ask(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        message = json.dumps(request).encode() + b"\n"
        if descriptors:
            sent = socket.send_fds(self._control, [message], descriptors)
            message = message[sent:]
        self._control.sendall(message)
        assert self._answered.acquire(timeout=PATIENCE), "the launcher doesn't respond"

    def _listen(self) -> None:
        for line in self._control.makefile("rb"):
            message = json.loads(line)
            if "ended" in message:
                self._processes.pop(message["ended"]).has_ended(message["code"])
                continue
            if "started" in message:
                self._started = self._processes[message["started"]] = Process(message["started"])
            self._answered.release()


_launchers: dict[int, _Launcher] = {}
"""By process id: a fork must not use its parent's launcher."""


def _launcher() -> _Launcher:
    if os.getpid() not in _launchers:
        _launchers[os.getpid()] = _Launcher()
    return _launchers[os.getpid()]


def close() -> None:
    """Stops the launcher of this process, if there is one."""
    launcher = _launchers.pop(os.getpid(), None)
    if launcher is not None:
        launcher.close()


def start(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: IO[Any] | int | None = None,
    stdout: IO[Any] | int,
    stderr: IO[Any] | int,
) -> Process:
    """Starts a command.

    Args:
        command: The program and its arguments.
        cwd: The working folder.
        env: The complete environment.
        stdin: An open file or descriptor; None for no input.
        stdout: An open file or descriptor.
        stderr: An open file or descriptor.
    """
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - no path
        streams = (nothing if stdin is None else stdin, stdout, stderr)
        return _launcher().start(
            [stream if isinstance(stream, int) else stream.fileno() for stream in streams],
            command=[str(part) for part in command],
            cwd=str(cwd),
            env=dict(env),
        )


def adopt(pid: int, number: signal.Signals) -> None:
    """Makes the launcher send a signal to a process when this test process ends."""
    _launcher().request(do="adopt", pid=pid, signal=number)


def release(pid: int) -> None:
    """Undoes `adopt`, after the process has ended."""
    _launcher().request(do="release", pid=pid)


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Yields a folder that is removed at the end of the block, or earlier if this test process ends."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    _launcher().request(do="adopt folder", folder=str(folder))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _launcher().request(do="release folder", folder=str(folder))
