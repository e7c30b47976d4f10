"""A client in a process of its own, and what it says that it saw."""

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TESTS = Path(__file__).parent.parent
_TO_START = 120.0
_TO_END = 10.0
_QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "LANGCHAIN_TRACING_V2": "false",
    "DO_NOT_TRACK": "1",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "localhost,127.0.0.1",
}
"""What keeps clients from calling home: their own switches, and a proxy that isn't there."""


class DriverError(Exception):
    """The driver ended, or said nothing for too long."""


@dataclass(kw_only=True)
class Seen:
    """What a client saw of one call: the pieces of a stream, then what it returned or raised."""

    pieces: list[str] = field(default_factory=list)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    @property
    def answer(self) -> dict[str, Any]:
        """What the client returned."""
        assert self.result is not None, f"raised {self.error}"
        return self.result

    @property
    def fault(self) -> dict[str, Any]:
        """What the client raised."""
        assert self.error is not None, f"raised nothing, but gave {self.pieces} and {self.result}"
        return self.error


class Driver:
    """Runs while the context is open. What the client itself prints goes into a file of the folder."""

    def __init__(self, command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._printed = folder / "printed.txt"
        inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        environment = {**inherited, "HOME": str(folder), "PYTHONPATH": str(TESTS), **_QUIET, **variables}
        with self._printed.open("w") as printed:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                text=True,
                bufsize=1,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        try:
            hello = self._next(_TO_START)
        except DriverError:
            self._end()
            raise
        self.version: str = hello["version"]
        self.verbs: list[str] = hello["verbs"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        """Lets the driver end by itself; one that hangs is killed, with all that it started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_TO_END)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def call(
        self,
        verb: str,
        asked: Mapping[str, Any],
        *,
        seconds: float,
        heard: Callable[[list[str]], None] = lambda _: None,
    ) -> Seen:
        """Returns what the client saw; `heard` is called after each piece of a stream, with all that came so far.

        Raises:
            DriverError: Nothing came for so many seconds.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # if it has ended, the next line to come says so
            self._process.stdin.write(json.dumps({"verb": verb, **asked}) + "\n")
        seen = Seen()
        while seen.result is None and seen.error is None:
            line = self._next(seconds)
            seen.result, seen.error = line.get("result"), line.get("error")
            if "piece" in line:
                seen.pieces.append(line["piece"])
                heard(seen.pieces)
        return seen

    def _next(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise DriverError(f"nothing for {seconds} s; it printed: {self._printed.read_text()[-2000:]}") from None
        if line is None:
            raise DriverError(f"it ended, and printed: {self._printed.read_text()[-2000:]}")
        told: dict[str, Any] = json.loads(line)
        return told

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)
