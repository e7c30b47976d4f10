"""What a soak leaves, and the verdict on it."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import msgspec

from bench.soak_samples import Sample
from bench.soak_scene import HEAL_SECONDS, Failure

MOST_MB_PER_10_MINUTES = 2.0
WARM_UP_SECONDS = 300.0
MIN_SECONDS_TO_JUDGE = 600.0
"""What is left of the load after the warm-up has to be as long for its slope to mean something."""

_BAD_LEVELS = frozenset({"error", "critical", "no JSON"})
_BAD_LINES_KEPT = 20


class Restart(msgspec.Struct, frozen=True):
    """When the database was away, in seconds since the soak began."""

    down_at: float
    up_at: float
    last_refusal_at: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One soak."""

    begun_at: str
    commit: str
    machine: str
    minutes: float
    rate: float
    samples: Sequence[Sample]
    counts: Mapping[str, Mapping[str, int]]
    failures: Sequence[Failure]
    restart: Restart | None
    log_levels: Mapping[str, int]
    warnings: Mapping[str, int]
    bad_log_lines: Sequence[str]

    def of(self, phase: str) -> list[Sample]:
        """Returns the samples of one phase."""
        return [sample for sample in self.samples if sample.phase == phase]


class Log:
    """What the engine has logged: how much of each level, and what of it an operator should see."""

    def __init__(self, file: Path) -> None:
        self.levels: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.bad_lines: list[str] = []
        with file.open() as lines:
            for line in lines:
                self._take(line.rstrip())

    def _take(self, line: str) -> None:
        try:
            entry = msgspec.json.decode(line)
            level, message = entry["level"], entry["message"]
        except (msgspec.DecodeError, TypeError, KeyError):
            level, message = "no JSON", line
        self.levels[level] += 1
        if level == "warning":
            self.warnings[message] += 1
        if level in _BAD_LEVELS and len(self.bad_lines) < _BAD_LINES_KEPT:
            self.bad_lines.append(line[:2_000])


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    is_good: bool | None
    """None if it can't be told."""
    figure: str

    @property
    def verdict(self) -> str:
        """The verdict in a word."""
        return {True: "good", False: "bad", None: "not judged"}[self.is_good]


def findings(report: Report) -> list[Finding]:
    """Returns the verdict, point by point."""
    total = sum(sum(outcomes.values()) for outcomes in report.counts.values())
    return [
        Finding("answers", not report.failures, f"{total:,} checked, {len(report.failures):,} wrong"),
        Finding("log", not report.bad_log_lines, f"{len(report.bad_log_lines)} errors or tracebacks"),
        _same_workers(report),
        *_healing(report),
        *_slopes(report),
        *_leftovers(report),
    ]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Returns the median of the slopes between all pairs of points (Theil and Sen), which outliers don't move."""
    return statistics.median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2)


def _same_workers(report: Report) -> Finding:
    pids = {tuple(worker.pid for worker in sample.workers) for sample in report.samples}
    return Finding(
        "workers", len(pids) == 1, "the same from beginning to end" if len(pids) == 1 else "some were replaced"
    )


def _healing(report: Report) -> Iterable[Finding]:
    if report.restart is not None:
        away = report.restart.up_at - report.restart.down_at
        healing = max(0.0, report.restart.last_refusal_at - report.restart.up_at)
        figure = f"away for {away:.1f} s, the last 503 {healing:.1f} s after it was back"
        yield Finding("database", healing < HEAL_SECONDS, figure)


def _slopes(report: Report) -> Iterable[Finding]:
    load = report.of("load")
    warm = [sample for sample in load if sample.at >= load[0].at + WARM_UP_SECONDS]
    if not warm or warm[-1].at - warm[0].at < MIN_SECONDS_TO_JUDGE:
        yield Finding("memory", None, "the soak was too short")
        return
    for number, worker in enumerate(warm[0].workers):
        points = [(s.at / 600, p.rss_mb) for s in warm for p in s.workers if p.pid == worker.pid]
        found = slope(points)
        figure = f"{found:+.2f} MB in 10 minutes after the first 5, {points[0][1]:.0f} to {points[-1][1]:.0f} MB"
        yield Finding(f"memory of worker {number + 1}", found < MOST_MB_PER_10_MINUTES, figure)


def _leftovers(report: Report) -> Iterable[Finding]:
    """Compares what is held at rest after the load with what was held at rest before it."""
    before, after = _held(report.of("rest")), _held(report.of("after"))
    for what, figure in after.items():
        yield Finding(what, figure <= before[what], f"{before[what]} at rest before the load, {figure} after it")


def _held(samples: Sequence[Sample]) -> dict[str, int]:
    """Returns the least that was held at rest; what runs now and then may be seen in one sample or the other."""
    return {what: min(map(count, samples)) for what, count in _COUNTS.items()}


def _sockets_of_their_own(sample: Sample) -> int:
    """Returns how many sockets lead neither to clients nor to the provider nor to the database."""
    return sample.descriptors("other socket") - (sample.database_connections or 0)


_COUNTS: Mapping[str, Callable[[Sample], int]] = {
    "sockets of clients": lambda sample: sample.descriptors("client"),
    "sockets to the provider": lambda sample: sample.descriptors("upstream"),
    "other sockets, without the database's": _sockets_of_their_own,
    "other descriptors": lambda sample: sample.descriptors("other"),
    "tasks": lambda sample: sum(worker.tasks or 0 for worker in sample.workers),
}
