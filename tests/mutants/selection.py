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
        seconds: dict[str, float] = {}
        tests: defaultdict[str, set[str]] = defaultdict(set)
        failed: list[str] = []
        for file in folder.glob("*.jsonl"):
            for record in map(json.loads, file.read_text().splitlines()):
                if record["failed"]:
                    failed.append(record["test"])
                    continue
                seconds[record["test"]] = record["seconds"]
                for function in record["functions"]:
                    tests[function].add(record["test"])
        return cls(seconds, dict(tests), failed)

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Returns the tests that call the changed function, those most likely to fail first.

        Tests in a file named after the module come before others, then the fastest first. For a change outside of
        functions, all tests that call any function of the module are returned.
        """
        place, first_line = mutant.path.relative_to(SOURCE), mutant.function()
        if first_line is not None:
            called = self.tests.get(f"{place}:{first_line}", set())
        else:
            of_module = (tests for function, tests in self.tests.items() if function.startswith(f"{place}:"))
            called = set().union(*of_module)
        named = f"/test_{mutant.path.stem}.py::"
        return sorted(called, key=lambda test: (named not in test, self.seconds[test], test))
