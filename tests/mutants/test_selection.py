"""The mutation tests select the tests that call the changed function."""

import json
from pathlib import Path
from typing import Any

import pytest

from mutants.changes import SOURCE, Mutant, mutants_of
from mutants.selection import Calls

MODULE = "polyant/domain/limits.py"
OTHER_MODULE = "polyant/domain/errors.py"


def mutant_in_a_function() -> Mutant:
    return next(mutant for mutant in mutants_of(SOURCE / MODULE) if mutant.function())


def mutant_outside_functions() -> Mutant:
    return next(mutant for mutant in mutants_of(SOURCE / MODULE) if not mutant.function())


def read(folder: Path, *records: dict[str, Any]) -> Calls:
    (folder / "1.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return Calls.read(folder)


def record(node: str, *functions: str, seconds: float = 0.1, failed: bool = False, is_test: bool = True) -> Any:
    return {"node": node, "is_test": is_test, "failed": failed, "seconds": seconds, "functions": functions}


def test_tests_that_call_the_function_are_selected_those_of_its_module_and_fast_ones_first(tmp_path: Path) -> None:
    mutant = mutant_in_a_function()
    function = f"{MODULE}:{mutant.function()}"
    calls = read(
        tmp_path,
        record("tests/a/test_others.py::test_slow", function, seconds=9),
        record("tests/a/test_others.py::test_fast", function, f"{OTHER_MODULE}:1"),
        record("tests/a/test_limits.py::test_slow", function, seconds=8),
        record("tests/a/test_others.py::test_that_calls_another", f"{MODULE}:{(mutant.function() or 0) + 1}"),
    )
    assert calls.tests_of(mutant) == [
        "tests/a/test_limits.py::test_slow",
        "tests/a/test_others.py::test_fast",
        "tests/a/test_others.py::test_slow",
    ]


def test_change_outside_of_functions_selects_all_tests_that_call_the_module(tmp_path: Path) -> None:
    calls = read(tmp_path, record("a.py::test_one", f"{MODULE}:1"), record("b.py::test_two", f"{OTHER_MODULE}:1"))
    assert calls.tests_of(mutant_outside_functions()) == ["a.py::test_one"]


def test_import_of_a_file_counts_as_a_call_by_its_tests(tmp_path: Path) -> None:
    calls = read(
        tmp_path, record("a.py", f"{MODULE}:1", is_test=False), record("a.py::test_one"), record("b.py::test_two")
    )
    assert calls.tests_of(mutant_outside_functions()) == ["a.py::test_one"]


def test_failed_test_is_reported_and_never_selected(tmp_path: Path) -> None:
    calls = read(tmp_path, record("a.py::test_one", f"{MODULE}:1", failed=True))
    assert calls.failed == ["a.py::test_one"]
    assert calls.tests_of(mutant_outside_functions()) == []


@pytest.mark.parametrize("make", [mutant_in_a_function, mutant_outside_functions])
def test_mutant_changes_only_its_own_text(make: Any) -> None:
    mutant: Mutant = make()
    source = (SOURCE / MODULE).read_bytes()
    changed = mutant.source()
    assert changed != source
    assert changed[: mutant.begin] == source[: mutant.begin]
    assert changed.endswith(source[mutant.end :])
