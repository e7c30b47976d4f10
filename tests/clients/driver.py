"""Runs a client in a separate process and receives its results."""

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
_START_SECONDS = 240.0
_END_SECONDS = 10.0
_NO_TELEMETRY = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "LANGCHAIN_TRACING_V2": "false",
    "DO_NOT_TRACK": "1",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "localhost,127.0.0.1",
}
"""Keeps clients from sending telemetry: their own switches, and a proxy that doesn't exist."""


class DriverError(Exception):
    """The driver ended, or wrote nothing before the timeout."""


@dataclass(kw_only=True)
class CallResult:
    """The result of one call: the deltas of a stream, then the returned value or the error."""

    pieces: list[str] = field(default_factory=list)
    result: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None

    @property
    def answer(self) -> dict[str, Any]:
        """The value that the client returned."""
        assert self.result is not None, f"raised {self.failure}"
        return self.result

    @property
    def error(self) -> dict[str, Any]:
        """The error that the client raised."""
        assert self.failure is not None, f"raised nothing, but returned {self.pieces} and {self.result}"
        return self.failure


class Driver:
    """A driver process, which runs during the context. The client's own output goes to a file in the folder."""

    def __init__(self, command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._printed = folder / "printed.txt"
        inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        environment = {**inherited, "HOME": str(folder), "PYTHONPATH": str(TESTS), **_NO_TELEMETRY, **variables}
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
            hello = self._next(_START_SECONDS)
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
        """Lets the driver end by itself, and kills it and its descendants if it hangs."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def call(
        self,
        verb: str,
        arguments: Mapping[str, Any],
        *,
        seconds: float,
        on_piece: Callable[[list[str]], None] = lambda _: None,
    ) -> CallResult:
        """Returns the result of a call; `on_piece` is called after each delta of a stream with all deltas so far.

        Raises:
            DriverError: The driver ended, or wrote nothing for that many seconds.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # if the driver has ended, `_next` raises
            self._process.stdin.write(json.dumps({"verb": verb, **arguments}) + "\n")
        result = CallResult()
        while result.result is None and result.failure is None:
            line = self._next(seconds)
            result.result, result.failure = line.get("result"), line.get("error")
            if "piece" in line:
                result.pieces.append(line["piece"])
                on_piece(result.pieces)
        return result

    def _next(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise DriverError(
                f"no output for {seconds} s; the driver printed: {self._printed.read_text()[-2000:]}"
            ) from None
        if line is None:
            raise DriverError(f"the driver ended and printed: {self._printed.read_text()[-2000:]}")
        decoded: dict[str, Any] = json.loads(line)
        return decoded

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)
