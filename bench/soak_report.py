"""The report of a soak, and the verdict on it."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path

import msgspec

from bench.soak_samples import Sample
from bench.soak_scenario import RECOVERY_SECONDS, Failure

MAX_MB_PER_10_MINUTES = 2.0
WARM_UP_SECONDS = 300.0
MAX_CPU_UNDER_ATTACK = 1.3
"""The CPU time per honest request under attack, as a multiple of that without hostile clients."""
MIN_SECONDS_TO_JUDGE = 600.0
"""The minimum duration of the load after the warm-up for its slope to be meaningful."""

_BAD_LEVELS = frozenset({"error", "critical", "invalid JSON"})
_BAD_LINES_KEPT = 20


class Restart(msgspec.Struct, frozen=True):
    """The outage of the database, in seconds since the soak began."""

    down_at: float
    up_at: float
    last_refusal_at: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The results of one soak."""

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
    """A summary of the engine's log: the number of lines per level, warnings, and bad lines."""

    def __init__(self, file: Path) -> None:
        self.levels: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.bad_lines: list[str] = []
        with file.open() as lines:
            for line in lines:
                self._add(line.rstrip())

    def _add(self, line: str) -> None:
        try:
            entry = msgspec.json.decode(line)
            level, message = entry["level"], entry["message"]
        except (msgspec.DecodeError, TypeError, KeyError):
            level, message = "invalid JSON", line
        self.levels[level] += 1
        if level == "warning":
            self.warnings[message] += 1
        if level in _BAD_LEVELS and len(self.bad_lines) < _BAD_LINES_KEPT:
            self.bad_lines.append(line[:2_000])


class Finding(msgspec.Struct, frozen=True):
    """The result of one check."""

    name: str
    is_good: bool | None
    """None if the check couldn't be judged."""
    figure: str

    @property
    def verdict(self) -> str:
        """The verdict in one or two words."""
        return {True: "good", False: "bad", None: "not judged"}[self.is_good]


def findings(report: Report) -> list[Finding]:
    """Returns the result of each check."""
    total = sum(sum(outcomes.values()) for outcomes in report.counts.values())
    return [
        Finding("responses", not report.failures, f"{total:,} checked, {len(report.failures):,} wrong"),
        Finding("log", not report.bad_log_lines, f"{len(report.bad_log_lines)} errors or tracebacks"),
        _same_workers(report),
        *_recovery(report),
        _cost_of_attack(report),
        *_slopes(report),
        *_leaks(report),
    ]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Returns the median slope between all pairs of points (Theil-Sen estimator), which is robust against outliers."""
    return statistics.median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2)


def _same_workers(report: Report) -> Finding:
    pids = {tuple(worker.pid for worker in sample.workers) for sample in report.samples}
    return Finding("workers", len(pids) == 1, "the same from start to end" if len(pids) == 1 else "some were replaced")


def _recovery(report: Report) -> Iterable[Finding]:
    if report.restart is not None:
        outage = report.restart.up_at - report.restart.down_at
        recovery = max(0.0, report.restart.last_refusal_at - report.restart.up_at)
        figure = f"down for {outage:.1f} s, the last 503 {recovery:.1f} s after it was back"
        yield Finding("database", recovery < RECOVERY_SECONDS, figure)


def _cost_of_attack(report: Report) -> Finding:
    """Compares the CPU time per honest request with and without hostile clients."""
    calm, attacked = (_cpu_ms_per_request(report.of("load"), under_attack=state) for state in (False, True))
    if not calm or not attacked:
        return Finding("CPU under attack", None, "the soak was too short")
    ratio = attacked / calm
    figure = f"{calm:.2f} ms per honest request, {attacked:.2f} ms with hostile clients: {ratio:.2f} times as much"
    return Finding("CPU under attack", ratio <= MAX_CPU_UNDER_ATTACK, figure)


def _cpu_ms_per_request(load: Sequence[Sample], *, under_attack: bool) -> float:
    """Returns the CPU time of all processes per request, outside the outage; 0 if there is no such period."""
    periods = [
        (after, before)
        for before, after in pairwise(load)
        if before.under_attack is after.under_attack is under_attack and before.away == after.away
    ]
    requests = sum(after.requests - before.requests for after, before in periods)
    seconds = sum(after.cpu_seconds - before.cpu_seconds for after, before in periods)
    return 1_000 * seconds / requests if requests else 0.0


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
        yield Finding(f"memory of worker {number + 1}", found < MAX_MB_PER_10_MINUTES, figure)


def _leaks(report: Report) -> Iterable[Finding]:
    """Compares the resources that are held at rest after the load with those held before it."""
    before, after = _held(report.of("rest")), _held(report.of("after"))
    for what, figure in after.items():
        yield Finding(what, figure <= before[what], f"{before[what]} at rest before the load, {figure} after it")


def _held(samples: Sequence[Sample]) -> dict[str, int]:
    """Returns the minimum of each resource over the samples, because periodic work may appear in some of them."""
    return {what: min(map(count, samples)) for what, count in _COUNTS.items()}


def _other_sockets(sample: Sample) -> int:
    """Returns the number of sockets that are connected neither to clients nor to the provider nor to the database."""
    return sample.descriptors("other socket") - (sample.database_connections or 0)


_COUNTS: Mapping[str, Callable[[Sample], int]] = {
    "sockets of clients": lambda sample: sample.descriptors("client"),
    "sockets to the provider": lambda sample: sample.descriptors("upstream"),
    "other sockets, without the database's": _other_sockets,
    "other descriptors": lambda sample: sample.descriptors("other"),
    "tasks": lambda sample: sum(worker.tasks or 0 for worker in sample.workers),
}
