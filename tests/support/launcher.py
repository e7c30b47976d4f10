"""Starts processes for the tests and kills them when the test process ends, even if it was killed.

Each test process has one launcher, a separate process that receives requests on a socket (see `support.launching`). The
socket closes when the test process ends; the launcher then kills every process that is still running.

The launcher imports `polyant` once and runs it in forks: imports are most of the cost of a start. `python -m polyant`,
`python -m uvicorn` and `python -c` run in forks, and so do the workers of their servers. A fork also does what
`prlimit`, `unshare --mount` and `support.other_user` do before such a command. Other commands are executed; so is
everything that starts with `env` (see `support.process.EXECUTED`).
"""

import contextlib
import ctypes
import gc
import importlib
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import resource
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

# Everything that a start imports, except modules that read the environment on import (prometheus_client), and the
# protocol: a server that runs without it warns if it was not imported.
_PRELOADED = (
    *(
        "polyant.cli.main",
        "polyant.bootstrap",
        "uvicorn.main",
        "uvicorn.supervisors",
        "uvicorn.loops.uvloop",
        "uvicorn.lifespan.on",
    ),
    *("uvicorn.protocols.http.httptools_impl", "anyio._backends._asyncio", "anyio.streams.tls", "anyio.abc"),
    *("asyncpg", "piccolo.apps.migrations.auto.migration_manager", "piccolo.conf.apps", "litestar.openapi.spec"),
    # Litestar and Piccolo look for these development dependencies and import them.
    *("litestar.plugins.attrs", "litestar.plugins.pydantic", "starlette.exceptions", "black"),
    *("litestar._kwargs", "litestar.exceptions.responses._debug_response", "litestar.middleware.allowed_hosts"),
    *("litestar.middleware.response_cache", "litestar.middleware._internal.exceptions"),
)

_CLONE_NEWNS = 0x20000  # from sched.h


class Launcher:
    """Serves one test process."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: set[int] = set()
        self._adopted: dict[int, int] = {}
        """The signal to send to each process that the tests started without the launcher."""
        self._folders: set[str] = set()

    def serve(self) -> list[str] | None:
        """Handles requests until the test process ends.

        Returns:
            None at the end, or the arguments of Python in a fork that has to do what Python would do with them.
        """
        wakeup, woken = socket.socketpair()
        wakeup.setblocking(False)
        woken.setblocking(False)
        signal.set_wakeup_fd(wakeup.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        selector = selectors.DefaultSelector()
        selector.register(self._control, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is woken:
                    with contextlib.suppress(BlockingIOError):
                        woken.recv(1024)
                    self._reap()
                    continue
                request, descriptors = self._receive()
                if request is None:
                    self._end_all()
                    return None
                arguments = self._handle(request, descriptors)
                if arguments is not None:
                    selector.close()
                    wakeup.close()
                    woken.close()
                    return arguments

    def _receive(self) -> tuple[dict[str, Any] | None, list[int]]:
        data, descriptors, _, _ = socket.recv_fds(self._control, 65_536, 3)
        while data and not data.endswith(b"\n"):
            data += self._control.recv(65_536)
        return (json.loads(data) if data else None), descriptors

    def _handle(self, request: dict[str, Any], descriptors: list[int]) -> list[str] | None:
        """Handles one request; returns the arguments of Python in a fork that has to run them."""
        match request["do"]:
            case "start":
                return self._start(request, descriptors)
            case "adopt":
                self._adopted[request["pid"]] = request["signal"]
            case "release":
                self._adopted.pop(request["pid"], None)
            case "adopt folder":
                self._folders.add(request["folder"])
            case "release folder":
                self._folders.discard(request["folder"])
        self._send({"done": request["do"]})
        return None

    def _start(self, request: dict[str, Any], descriptors: list[int]) -> list[str] | None:
        pid = os.fork()
        if pid:
            for descriptor in descriptors:
                os.close(descriptor)
            self._running.add(pid)
            self._send({"started": pid})
            return None
        return self._become(request, descriptors)

    def _become(self, request: dict[str, Any], descriptors: list[int]) -> list[str]:
        """Turns this fork into the requested process; returns only for Python, with its arguments."""
        self._control.close()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        if os.isatty(0):  # the first terminal that a session leader opens becomes the one whose Ctrl-C it receives
            os.close(os.open(os.ttyname(0), os.O_RDWR))
        os.chdir(request["cwd"])
        command: list[str] = request["command"]
        start = command.index(sys.executable) if sys.executable in command else 0
        preparation = _preparation_of(command[:start])
        if preparation is None or command[start] != sys.executable or _runner_of(command[start + 1 :]) is None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execvpe(command[0], command, request["env"])  # noqa: S606 - there is no shell in between
        preparation()
        os.chdir(request["cwd"])  # a file system may have been mounted over it
        os.environ.clear()
        os.environ.update(request["env"])
        return command[start + 1 :]

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._running.discard(pid)
            with contextlib.suppress(BrokenPipeError):
                self._send({"ended": pid, "code": os.waitstatus_to_exitcode(status)})

    def _send(self, message: dict[str, Any]) -> None:
        self._control.sendall(json.dumps(message).encode() + b"\n")

    def _end_all(self) -> None:
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        for pid, number in self._adopted.items():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)


def _preparation_of(programs: list[str]) -> Callable[[], None] | None:
    """Returns the function that does in a fork what these programs do before they execute Python, if there is one."""
    match programs:
        case []:
            return lambda: None
        case ["prlimit", limit] if limit.startswith("--nofile="):
            soft, hard = map(int, limit.removeprefix("--nofile=").split(":"))
            return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        case ["unshare", "--mount", *script]:
            return lambda: _mount(script)
    return None


def _mount(script: list[str]) -> None:
    """Runs a command that mounts file systems, which only this process and its children will see."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    code = subprocess.run([*script, "true"], check=False).returncode
    if code:
        os._exit(code)


def _runner_of(arguments: list[str]) -> Callable[[list[str]], None] | None:
    """Returns the function that does in a fork what Python does with these arguments, if there is one."""
    match arguments:
        case ["-m", "polyant", *_]:
            return _run_polyant
        case ["-m", "uvicorn", *_]:
            return _run_uvicorn
        case ["-m", "support.other_user", *_]:
            return _run_other_user
        case ["-c", *_]:
            return _run_code
    return None


def _run_polyant(arguments: list[str]) -> None:
    spec = importlib.util.find_spec("polyant.__main__")
    assert spec is not None
    sys.argv = [str(spec.origin), *arguments[2:]]
    from polyant.cli.main import main  # noqa: PLC0415 - imported by the launcher already

    main(arguments[2:])


def _run_uvicorn(arguments: list[str]) -> None:
    sys.argv = ["uvicorn", *arguments[2:]]
    from uvicorn.main import main  # noqa: PLC0415 - as above

    main(arguments[2:], prog_name="python -m uvicorn")


def _run_other_user(arguments: list[str]) -> None:
    sys.argv[1:] = arguments[2:]
    runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)


def _run_code(arguments: list[str]) -> None:
    sys.argv = ["-c", *arguments[2:]]
    sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(arguments[1], "<string>", "exec"), vars(sys.modules["__main__"]))  # noqa: S102 - what Python does


class _Worker(multiprocessing.get_context("fork").Process):  # type: ignore[misc] # its class isn't static
    """A worker of a server, forked: uvicorn starts a new Python, whose imports take most of the start."""

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU):
            signal.signal(number, signal.SIG_DFL)  # a new Python doesn't have its parent's handlers
        super().run()


def _run(arguments: list[str]) -> None:
    """Does what Python does with these arguments, in a fork that has imported the modules."""
    import uvicorn._subprocess  # noqa: PLC0415 - as above

    uvicorn._subprocess.spawn = SimpleNamespace(Process=_Worker)  # type: ignore[assignment]
    sys.path[:1] = [str(Path.cwd()), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.stdin = open(0, encoding=sys.stdin.encoding, errors=sys.stdin.errors)  # noqa: SIM115 - a descriptor
    sys.stdout = open(1, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)  # noqa: SIM115 - as above
    sys.stderr = open(2, "w", 1, encoding=sys.stderr.encoding, errors=sys.stderr.errors)  # noqa: SIM115 - as above
    runner = _runner_of(arguments)
    assert runner is not None
    runner(arguments)


def _hash_cheaply() -> None:
    """Lowers the default cost of Argon2id: every first start hashes a password."""
    from polyant.adapters.crypto.backup_cipher import AesGcmBackupCipher  # noqa: PLC0415 - as above
    from polyant.adapters.crypto.password_hasher import Argon2idPasswordHasher  # noqa: PLC0415 - as above

    for adapter in (Argon2idPasswordHasher, AesGcmBackupCipher):
        presets = adapter.__init__.__kwdefaults__
        assert presets is not None
        presets.update(memory_kib=64, iterations=1)


if __name__ == "__main__":
    sys.path[0] = os.devnull  # modules in this folder must not shadow others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _PRELOADED:
        importlib.import_module(name)
    for point in importlib.metadata.distribution("polyant").entry_points:
        if ".mcp." not in point.value and ".prometheus." not in point.value:  # imported when they are used
            point.load()
    importlib.import_module("polyant.adapters.piccolo.migrations").known_migrations()
    _hash_cheaply()
    gc.freeze()
    _arguments = Launcher(socket.socket(fileno=int(sys.argv[1]))).serve()
    if _arguments is not None:
        _run(_arguments)
