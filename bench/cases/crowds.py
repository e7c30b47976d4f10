"""Many streams at once, and readers that are slow."""

import json
import time
from collections.abc import Callable, Iterator
from urllib.request import urlopen

from bench.figures import Aim, Figure, Sample, middle, ratio, sample
from bench.jobs import Times
from bench.processes import Peak
from bench.scripts import PACE, PACED_DELTAS
from bench.stage import Stage, Target

_ROUNDS = 3
_SLOW_READERS = 10
_SETTLING = 20
_OVER = 5
_TRICKLE = 200
"""Deltas in half a second, of all readers together: what is written for less is what was read."""


def paced(streams: int) -> Callable[[Stage], Iterator[Figure]]:
    """Returns the case of that many streams at once on one worker."""

    def case(stage: Stage) -> Iterator[Figure]:
        engine = stage.engine(f"{streams} streams")
        sample(stage, engine, engine.asking(requests=1_000))  # so that what it holds for good is there before
        relays, engines, peak = _rounds_of(stage, engine, streams)
        outcome = engines[0].outcome
        arrived = min(100 * found.outcome.deltas / (streams * PACED_DELTAS) for found in engines)
        yield Figure(what="deltas that arrived", value=arrived, unit="%", aim=Aim("=", 100))
        yield middle("CPU of a delta", [_of_a_delta(found) for found in engines], "µs")
        yield middle("CPU of a delta, bare relay", [_of_a_delta(found) for found in relays], "µs")
        yield ratio("CPU of a delta / bare relay", engines, relays, Aim("<=", 1.3))
        yield Figure(what="share of one core", value=100 * engines[0].cpu_share, unit="%")
        yield from _times("first byte", outcome.first_byte)
        yield from _times("gap between deltas", outcome.gaps)
        yield from _times("gap between deltas, bare relay", relays[0].outcome.gaps)
        kibibytes = 1_024 * (peak.rss - peak.before) / streams
        # What the first streams take for good makes each of a few look larger.
        aim = Aim("<", 64) if streams >= 1_000 else None
        yield Figure(what="memory of a stream", value=kibibytes, unit="KiB", aim=aim)

    case.__doc__ = f"{streams:,} streams of {PACE} deltas a second, at once on one worker."
    return case


def slow_readers(stage: Stage) -> Iterator[Figure]:
    """Readers of 1 KB a second, of streams that the upstream sends as fast as it can."""
    engine = stage.engine("slow readers")
    sample(stage, engine, engine.asking(requests=1_000, stream=True))
    before = engine.process.rss()
    with stage.loader.holding(engine.holding("endless", _SLOW_READERS, bytes_per_second=1_024)):
        _wait_for_full_buffers(stage)
        with Peak(engine.process) as peak:
            written = _written(stage)
            time.sleep(_OVER)
            written = _written(stage) - written
    yield Figure(what="memory of a reader", value=1_024 * (peak.before - before) / _SLOW_READERS, unit="KiB")
    yield Figure(what="memory that grew in 5 s", value=peak.rss - peak.before, unit="MiB", aim=Aim("<", 1))
    yield Figure(what="deltas that the upstream could send to each", value=written / _SLOW_READERS / _OVER, unit="/s")


def _rounds_of(stage: Stage, engine: Target, streams: int) -> tuple[list[Sample], list[Sample], Peak]:
    """Returns the bare relay's rounds, the engine's, and the memory that the engine took in its first round."""
    rounds = [
        (_together(stage, stage.relay, streams), _together(stage, engine, streams))
        for _ in range(_ROUNDS if stage.long else 1)
    ]
    relays, engines = ([found for _, found in each] for each in zip(*rounds, strict=True))
    return relays, engines, rounds[0][1][0]


def _together(stage: Stage, target: Target, streams: int) -> tuple[Peak, Sample]:
    job = target.asking("paced", stream=True, requests=streams, connections=streams, deltas=PACED_DELTAS, warm=False)
    with Peak(target.process) as peak:
        return peak, sample(stage, target, job, strict=False)


def _of_a_delta(found: Sample) -> float:
    return 1_000 * found.cpu_ms * found.outcome.requests / found.outcome.deltas


def _times(what: str, times: Times | None) -> Iterator[Figure]:
    if times is not None:
        yield Figure(what=f"{what}, median", value=times.p50)
        yield Figure(what=f"{what}, 99 in 100 within", value=times.p99)


def _wait_for_full_buffers(stage: Stage) -> None:
    for _ in range(2 * _SETTLING):
        before = _written(stage)
        time.sleep(0.5)
        if _written(stage) - before < _TRICKLE:
            return
    raise SystemExit("bench: the upstream is not slowed by readers that are slow")


def _written(stage: Stage) -> int:
    with urlopen(f"{stage.url_of(stage.stub)}/stats", timeout=5) as answer:  # noqa: S310 - the stub
        return int(json.load(answer)["deltas"])
