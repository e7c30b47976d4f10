"""The process that puts load on servers, as the run sees it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TypeVar, cast

import msgspec

from bench.jobs import Held, Hold, Job, Line, Load, Outcome, Ready, Release
from bench.processes import ROOT, Process, python

_decode = msgspec.json.Decoder(Line).decode

Answer = TypeVar("Answer", Ready, Outcome, Held)


class Loader:
    """Puts load on servers, from a process of its own."""

    def __init__(self) -> None:
        command = python("-m", "bench.load")
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._jobs = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)

    def load(self, server: Process, job: Load) -> tuple[float, Outcome]:
        """Returns the CPU seconds that the server used, and what came of the load."""
        self._tell(job)
        self._hear(Ready)
        before = server.cpu()
        self._write(b"\n")
        outcome = self._hear(Outcome)
        return server.cpu() - before, outcome

    @contextmanager
    def holding(self, job: Hold) -> Iterator[None]:
        """Keeps streams open as long as the context lasts, and sees that they stay so."""
        self._tell(job)
        self._expect_all_of(job)
        yield
        self._tell(Release())
        self._expect_all_of(job)

    def close(self) -> None:
        """Ends the process."""
        with self._process:  # closes both pipes and waits
            pass

    def _expect_all_of(self, job: Hold) -> None:
        found = self._hear(Held).streams
        if found != job.streams:
            raise SystemExit(f"bench: {found} of {job.streams} streams of {job.model} are open")

    def _tell(self, job: Job) -> None:
        self._write(msgspec.json.encode(job) + b"\n")

    def _write(self, line: bytes) -> None:
        self._jobs.write(line)
        self._jobs.flush()

    def _hear(self, kind: type[Answer]) -> Answer:
        line = self._answers.readline()
        if not line:
            raise SystemExit("bench: the process that puts on load has ended")
        answer = _decode(line)
        if not isinstance(answer, kind):
            raise SystemExit(f"bench: the load ended before its time: {answer}")
        return answer
