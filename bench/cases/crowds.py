"""Many concurrent streams, and slow readers."""

import json
import time
from collections.abc import Callable, Iterator
from urllib.request import urlopen

from bench.figures import Aim, Figure, Sample, median, ratio, sample
from bench.harness import Harness, Target
from bench.jobs import Times
from bench.processes import Peak
from bench.scripts import PACE, PACED_DELTAS

_ROUNDS = 3
_SLOW_READERS = 10
_SETTLING = 20
_MEASURED_SECONDS = 5
_TRICKLE = 200
"""Deltas per half second for all readers together: below this, the stub writes only as fast as they read."""


def paced(streams: int) -> Callable[[Harness], Iterator[Figure]]:
    """Returns the case of that many concurrent streams on one worker."""

    def case(harness: Harness) -> Iterator[Figure]:
        engine = harness.engine(f"{streams} streams")
        sample(harness, engine, engine.load(requests=1_000))  # allocates name the engine keeps permanently
        relays, engines, peak = _run_rounds(harness, engine, streams)
        outcome = engines[0].outcome
        arrived = min(100 * found.outcome.deltas / (streams * PACED_DELTAS) for found in engines)
        yield Figure(name="deltas that arrived", value=arrived, unit="%", aim=Aim("=", 100))
        yield median("CPU of a delta", [_cpu_per_delta(found) for found in engines], "µs")
        yield median("CPU of a delta, bare relay", [_cpu_per_delta(found) for found in relays], "µs")
        yield ratio("CPU of a delta / bare relay", engines, relays, Aim("<=", 1.3))
        yield Figure(name="share of one core", value=100 * engines[0].cpu_share, unit="%")
        yield from _latencies("first byte", outcome.first_byte)
        yield from _latencies("gap between deltas", outcome.gaps)
        yield from _latencies("gap between deltas, bare relay", relays[0].outcome.gaps)
        kibibytes = 1_024 * (peak.rss - peak.before) / streams
        # With few streams, permanent allocations by the first ones would distort the result.
        aim = Aim("<", 64) if streams >= 1_000 else None
        yield Figure(name="memory of a stream", value=kibibytes, unit="KiB", aim=aim)

    case.__doc__ = f"{streams:,} concurrent streams of {PACE} deltas per second on one worker."
    return case


def slow_readers(harness: Harness) -> Iterator[Figure]:
    """Readers of 1 KB per second, of streams that the upstream sends as fast as it can."""
    engine = harness.engine("slow readers")
    sample(harness, engine, engine.load(requests=1_000, stream=True))
    before = engine.process.rss()
    with harness.loader.holding(engine.hold("endless", _SLOW_READERS, bytes_per_second=1_024)):
        _wait_for_full_buffers(harness)
        with Peak(engine.process) as peak:
            written = _written(harness)
            time.sleep(_MEASURED_SECONDS)
            written = _written(harness) - written
    yield Figure(name="memory of a reader", value=1_024 * (peak.before - before) / _SLOW_READERS, unit="KiB")
    yield Figure(name="memory that grew in 5 s", value=peak.rss - peak.before, unit="MiB", aim=Aim("<", 1))
    yield Figure(
        name="deltas that the upstream could send to each", value=written / _SLOW_READERS / _MEASURED_SECONDS, unit="/s"
    )


def _run_rounds(harness: Harness, engine: Target, streams: int) -> tuple[list[Sample], list[Sample], Peak]:
    """Returns the rounds of the bare relay, those of the engine, and the engine's memory peak in its first round."""
    rounds = [
        (_run_streams(harness, harness.relay, streams), _run_streams(harness, engine, streams))
        for _ in range(_ROUNDS if harness.long else 1)
    ]
    relays, engines = ([found for _, found in each] for each in zip(*rounds, strict=True))
    return relays, engines, rounds[0][1][0]


def _run_streams(harness: Harness, target: Target, streams: int) -> tuple[Peak, Sample]:
    job = target.load("paced", stream=True, requests=streams, connections=streams, deltas=PACED_DELTAS, warm=False)
    with Peak(target.process) as peak:
        return peak, sample(harness, target, job, strict=False)


def _cpu_per_delta(found: Sample) -> float:
    return 1_000 * found.cpu_ms * found.outcome.requests / found.outcome.deltas


def _latencies(name: str, times: Times | None) -> Iterator[Figure]:
    if times is not None:
        yield Figure(name=f"{name}, median", value=times.p50)
        yield Figure(name=f"{name}, 99 in 100 within", value=times.p99)


def _wait_for_full_buffers(harness: Harness) -> None:
    for _ in range(2 * _SETTLING):
        before = _written(harness)
        time.sleep(0.5)
        if _written(harness) - before < _TRICKLE:
            return
    raise SystemExit("bench: slow readers do not slow the upstream down")


def _written(harness: Harness) -> int:
    with urlopen(f"{harness.url_of(harness.stub)}/stats", timeout=5) as response:  # noqa: S310 - the stub
        return int(json.load(response)["deltas"])
