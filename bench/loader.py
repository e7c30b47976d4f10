"""The load generator process, as a run uses it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TypeVar, cast

import msgspec

from bench.jobs import Held, Hold, Job, Line, Load, Outcome, Ready, Release
from bench.processes import ROOT, Process, python

_decode = msgspec.json.Decoder(Line).decode

Message = TypeVar("Message", Ready, Outcome, Held)


class Loader:
    """Puts load on servers from a separate process."""

    def __init__(self) -> None:
        command = python("-m", "bench.load")
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._jobs = cast("IO[bytes]", self._process.stdin)
        self._results = cast("IO[bytes]", self._process.stdout)

    def load(self, server: Process, job: Load) -> tuple[float, Outcome]:
        """Returns the CPU seconds that the server used, and the result of the load."""
        self._send(job)
        self._receive(Ready)
        before = server.cpu()
        self._write(b"\n")
        outcome = self._receive(Outcome)
        return server.cpu() - before, outcome

    @contextmanager
    def holding(self, job: Hold) -> Iterator[None]:
        """Keeps streams open during the context, and checks that they stay open."""
        self._send(job)
        self._expect_all_of(job)
        yield
        self._send(Release())
        self._expect_all_of(job)

    def close(self) -> None:
        """Ends the process."""
        with self._process:  # closes both pipes and waits
            pass

    def _expect_all_of(self, job: Hold) -> None:
        found = self._receive(Held).streams
        if found != job.streams:
            raise SystemExit(f"bench: {found} of {job.streams} streams of {job.model} are open")

    def _send(self, job: Job) -> None:
        self._write(msgspec.json.encode(job) + b"\n")

    def _write(self, line: bytes) -> None:
        self._jobs.write(line)
        self._jobs.flush()

    def _receive(self, kind: type[Message]) -> Message:
        line = self._results.readline()
        if not line:
            raise SystemExit("bench: the load generator process has ended")
        message = _decode(line)
        if not isinstance(message, kind):
            raise SystemExit(f"bench: the load ended early: {message}")
        return message
