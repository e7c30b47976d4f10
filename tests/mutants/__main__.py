"""Runs mutation tests: makes small changes to the source and prints those that no test detects.

`just mutants --sample 40 --seed 1` tries a reproducible sample. Each mutant is one change in a copy of `src`. One run
of all tests that start no servers records which functions each test calls. For a mutant, those tests run that call the
changed function, until the first failure. If none calls it, the tests that start servers run.

A mutant that survives is either a gap in the tests or an equivalent change; a person has to decide which.

mutmut and cosmic-ray were considered. Neither takes a seeded sample; mutmut needs one run of the whole suite in one
process under its trampolines, and cosmic-ray runs one fixed test command for every mutant.
"""

import argparse
import functools
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mutants.changes import ROOT, SOURCE, Mutant, mutants
from mutants.plugin import RECORD, SELECTED
from mutants.selection import Calls
from support.patience import seconds

TESTS = ROOT / "tests"
SERVERS = ("clients", "e2e", "multi", "bench")
"""Test folders whose tests start servers and are slow."""
SURVIVED = "SURVIVED"
MINUTES = 10
"""The time after which a mutant that makes the tests hang counts as caught."""


class Trial:
    """A copy of the source and the tests that detect changes to it."""

    def __init__(self, folder: Path) -> None:
        self._copy = Path(shutil.copytree(SOURCE, folder / "src"))
        self._selected = folder / "selected.txt"
        self._records = folder / "records"
        self._records.mkdir()
        self._times = itertools.count(1_000_000_000, 10)

    def record(self) -> Calls:
        """Returns the calls of all tests that start no servers."""
        ignored = [f"--ignore={TESTS / folder}" for folder in SERVERS]
        self._run(["-n", "logical", *ignored, TESTS], {RECORD: str(self._records)})
        return Calls.read(self._records)

    def verdict(self, mutant: Mutant, tests: Sequence[str]) -> str:
        """Returns what the tests say about the change, which starts with "caught" unless it survives.

        Args:
            mutant: The change.
            tests: The tests to run; if there are none, those that start servers run.
        """
        if not tests and not self._servers_pass:
            return "UNKNOWN: only servers run it, and their tests fail on unmodified source"
        place = self._copy / mutant.path.relative_to(SOURCE)
        self._write(place, mutant.source())
        try:
            return self._verdict_of_servers() if not tests else self._verdict_of(tests)
        finally:
            self._write(place, mutant.path.read_bytes())

    @functools.cached_property
    def _servers_pass(self) -> bool:
        return self._verdict_of_servers() == SURVIVED

    def _verdict_of_servers(self) -> str:
        return self._verdict(["-n", "logical", *(TESTS / folder for folder in SERVERS)], {})

    def _verdict_of(self, tests: Sequence[str]) -> str:
        self._selected.write_text("\n".join(tests))
        files = sorted({test.partition("::")[0] for test in tests})
        return self._verdict(["-n", "0", *files], {SELECTED: str(self._selected)})

    def _write(self, place: Path, source: bytes) -> None:
        """Writes a file with a time of its own, so that Python doesn't run an older state that it has compiled."""
        place.write_bytes(source)
        now = next(self._times)
        os.utime(place, (now, now))

    def _verdict(self, arguments: Sequence[str | Path], variables: Mapping[str, str]) -> str:
        try:
            done = self._run(["-x", *arguments], variables, timeout=seconds(60 * MINUTES))
        except subprocess.TimeoutExpired:
            return "caught by a test that hangs"
        if done.returncode in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            return SURVIVED
        failure = re.search(r"(?m)^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout)
        return f"caught by {failure[1] if failure else 'pytest, which could not start'}"

    def _run(
        self, arguments: Sequence[str | Path], variables: Mapping[str, str], *, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Returns the result of pytest."""
        path = os.pathsep.join((str(self._copy), str(TESTS)))
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "mutants.plugin", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, **variables},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def main() -> None:
    """Tries a sample of the mutants and exits with 1 if any survives."""
    parser = argparse.ArgumentParser(prog="just mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=40, help="the number of mutants to try [40]")
    parser.add_argument("--seed", type=int, default=1, help="the random seed of the sample [1]")
    parser.add_argument("--only", default="", help="a substring of the paths of the modules to mutate")
    arguments = parser.parse_args()
    known = [mutant for mutant in mutants() if arguments.only in str(mutant.path)]
    sample = random.Random(arguments.seed).sample(known, min(arguments.sample, len(known)))  # noqa: S311 - no secret
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="polyant-mutants-") as folder:
        trial = Trial(Path(folder))
        calls = trial.record()
        if not calls.seconds:
            parser.exit(2, "No test passes on unmodified source. Run `just test` first.\n")
        for test in calls.failed:
            print(f"left out, because it fails on unmodified source: {test}", flush=True)
        for number, mutant in enumerate(sample, 1):
            began, tests = time.monotonic(), calls.tests_of(mutant)
            verdict = trial.verdict(mutant, tests)
            survivors += not verdict.startswith("caught")
            cost = f"{len(tests) or 'server'} tests, {time.monotonic() - began:.0f} s"
            print(f"{number}/{len(sample)} {mutant}\n    {verdict} ({cost})", flush=True)
    print(f"{len(sample) - survivors} of {len(sample)} mutants caught ({len(known)} in total)")
    raise SystemExit(1 if survivors else 0)


if __name__ == "__main__":
    main()
