"""Selects the tests that can detect a mutant: those that call the changed function."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from mutants.changes import SOURCE, Mutant


@dataclass(frozen=True)
class Calls:
    """The functions that each test calls, recorded in one run of the tests."""

    seconds: dict[str, float]
    """The duration of each test."""
    tests: dict[str, set[str]]
    """The tests that call a function, by its file and first line."""
    failed: list[str]
    """The tests that fail on unmodified source; they are never selected."""

    @classmethod
    def read(cls, folder: Path) -> "Calls":
        """Returns the records that `mutants.plugin` wrote."""
        records = [json.loads(line) for file in folder.glob("*.jsonl") for line in file.read_text().splitlines()]
        runs = [record for record in records if record["is_test"]]
        seconds = {record["node"]: record["seconds"] for record in runs if not record["failed"]}
        of_file: defaultdict[str, set[str]] = defaultdict(set)
        for test in seconds:
            of_file[test.partition("::")[0]].add(test)
        tests: defaultdict[str, set[str]] = defaultdict(set)
        for record in records:
            callers = {record["node"]} & seconds.keys() if record["is_test"] else of_file[record["node"]]
            for function in record["functions"]:
                tests[function] |= callers
        return cls(seconds, dict(tests), [record["node"] for record in runs if record["failed"]])

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Returns the tests that call the changed function, those most likely to fail first.

        Tests in a file named after the module come before others, then the fastest first. For a change outside of
        functions, all tests that call any function of the module are returned. The import of a file of tests counts as
        a call by all its tests.
        """
        place, first_line = mutant.path.relative_to(SOURCE), mutant.function()
        if first_line is not None:
            called = self.tests.get(f"{place}:{first_line}", set())
        else:
            of_module = (tests for function, tests in self.tests.items() if function.startswith(f"{place}:"))
            called = set().union(*of_module)
        named = f"/test_{mutant.path.stem}.py::"
        return sorted(called, key=lambda test: (named not in test, self.seconds[test], test))
