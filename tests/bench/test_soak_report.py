"""The verdict of a soak finds leaks, errors and slow recovery."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.soak_report import Log, Report, Restart, findings, slope
from bench.soak_samples import ProcessSample, Sample
from bench.soak_scenario import Failure

AT_REST = {"client": 0, "upstream": 0, "other socket": 10, "other": 19}


def sample(at: float, phase: str, *, pid: int = 1, rss_mb: float = 90.0, tasks: int = 9, **held: int) -> Sample:
    worker = ProcessSample(
        pid=pid,
        is_worker=True,
        rss_mb=rss_mb,
        cpu_seconds=1.0,
        threads=7,
        descriptors=AT_REST | {kind.replace("_", " "): count for kind, count in held.items()},
        tasks=tasks,
    )
    return Sample(at=at, phase=phase, requests=1, away=0, database_connections=5, processes=(worker,))


def under_load(**worker: Any) -> list[Sample]:
    return [sample(at, "load", client=30, tasks=60, **worker) for at in range(50, 1_850, 5)]


def report(
    load: Sequence[Sample] | None = None, after: Sequence[Sample] = (sample(1_900, "after"),), **found: Any
) -> Report:
    restart = Restart(down_at=900, up_at=910, last_refusal_at=911)
    complete = Report(
        begun_at="2026-11-22T12:00:00+00:00",
        commit="",
        machine="",
        minutes=30,
        rate=100,
        samples=[sample(40, "rest"), *(load or under_load()), *after],
        counts={"whole response": {"as expected": 7}},
        failures=[],
        restart=restart,
        log_levels={},
        warnings={},
        bad_log_lines=[],
    )
    return msgspec.structs.replace(complete, **found)


def bad(found: Report) -> list[str]:
    return [finding.name for finding in findings(found) if finding.verdict == "bad"]


def test_soak_without_failures_is_good() -> None:
    assert bad(report()) == []


def test_wrong_response_is_bad() -> None:
    assert bad(report(failures=[Failure(1.0, "whole response", "503")])) == ["responses"]


def test_error_in_the_log_is_bad() -> None:
    assert bad(report(bad_log_lines=["Traceback"])) == ["log"]


def test_slow_recovery_of_the_database_is_bad() -> None:
    assert bad(report(restart=Restart(down_at=900, up_at=910, last_refusal_at=916))) == ["database"]


def test_replaced_worker_is_bad() -> None:
    assert "workers" in bad(report(after=[sample(1_900, "after", pid=2)]))


def test_cost_of_hostile_clients_is_compared_with_the_periods_without_them() -> None:
    attacked = report(attacked_every_other_minute(cpu_under_attack=1.25))
    assert bad(attacked) == []
    assert bad(report(attacked_every_other_minute(cpu_under_attack=1.4))) == ["CPU under attack"]
    (figure,) = [found.figure for found in findings(attacked) if found.name == "CPU under attack"]
    assert figure == "1.00 ms per honest request, 1.25 ms with hostile clients: 1.25 times as much"


def attacked_every_other_minute(*, cpu_under_attack: float) -> list[Sample]:
    load, cpu_seconds, was_under_attack = [], 0.0, False
    for number, calm in enumerate(under_load()):
        under_attack = number // 12 % 2 == 1
        cpu_seconds += cpu_under_attack if under_attack and was_under_attack else 1.0
        was_under_attack = under_attack
        (worker,) = calm.workers
        load.append(
            msgspec.structs.replace(
                calm,
                requests=1_000 * number,
                under_attack=under_attack,
                processes=(msgspec.structs.replace(worker, cpu_seconds=cpu_seconds),),
            )
        )
    return load


@pytest.mark.parametrize("mb_in_10_minutes, judged", [(1.5, []), (2.5, ["memory of worker 1"])])
def test_growing_memory_is_bad(mb_in_10_minutes: float, judged: list[str]) -> None:
    load = [sample(at, "load", rss_mb=90 + mb_in_10_minutes * at / 600) for at in range(50, 1_850, 5)]
    assert bad(report(load)) == judged


def test_growing_memory_during_the_warm_up_is_good() -> None:
    load = [sample(at, "load", rss_mb=90 + min(at, 300) / 10) for at in range(50, 1_850, 5)]
    assert bad(report(load)) == []


@pytest.mark.parametrize(
    "held, name",
    [
        ({"client": 1}, "sockets of clients"),
        ({"upstream": 1}, "sockets to the provider"),
        ({"other_socket": 11}, "other sockets, without the database's"),
        ({"other": 20}, "other descriptors"),
        ({"tasks": 10}, "tasks"),
    ],
)
def test_leaked_resource_is_bad(held: dict[str, int], name: str) -> None:
    assert bad(report(after=[sample(1_900, "after", **held)])) == [name]


def test_resource_of_periodic_work_is_not_a_leak() -> None:
    assert bad(report(after=[sample(1_900, "after", client=1), sample(1_901, "after")])) == []


def test_memory_is_not_judged_after_a_short_soak() -> None:
    short = report([sample(at, "load", rss_mb=at) for at in range(50, 500, 5)])
    assert [found.verdict for found in findings(short) if found.name.startswith("memory")] == ["not judged"]


def test_slope_is_robust_against_outliers() -> None:
    points = [(float(x), 2.0 * x) for x in range(50)]
    points[10], points[40] = (10.0, 900.0), (40.0, -900.0)
    assert slope(points) == pytest.approx(2.0)


def test_log_is_searched_for_errors_and_invalid_json(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    entries = [f'{{"level": "{level}", "message": "odd"}}' for level in ("info", "warning", "warning", "error")]
    lines = [*entries, "Traceback", "7"]
    log.write_text("\n".join(lines))
    found = Log(log)
    assert found.levels == {"info": 1, "warning": 2, "error": 1, "invalid JSON": 2}
    assert found.warnings == {"odd": 2}
    assert found.bad_lines == lines[3:]
