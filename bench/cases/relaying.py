"""The cost of a request, next to the bare relay."""

from collections.abc import Iterator, Mapping
from typing import Any

from bench.figures import Aim, Figure, Samples, added, cpu, interleaved, ratio, sample
from bench.jobs import Load
from bench.stage import ENGINE, Stage, Target

_RELAY = "bare relay"
_NO_WORSE = Aim("<=", 1.05)
"""Beside an earlier commit; less than a twentieth can't be told from noise."""


def non_streaming(stage: Stage) -> Iterator[Figure]:
    """Requests that are answered whole."""
    yield from _beside_relay(stage, Aim("<=", 2.5))


def streaming(stage: Stage) -> Iterator[Figure]:
    """Streams of 200 deltas that come at once."""
    yield from _beside_relay(stage, Aim("<=", 1.3), stream=True, deltas=200, connections=8)


def embedded(stage: Stage) -> Iterator[Figure]:
    """The embedded default, SQLite with one worker, next to PostgreSQL; both log every turn."""
    targets = stage.embedded_engines()
    # Turns are written once a second.
    found = interleaved(stage, _loads({"PostgreSQL": stage.engine(), **targets}), times=3)
    for name, samples in found.items():
        yield cpu(name if name == "PostgreSQL" else f"{name} on SQLite", samples)
    for name in targets:
        aim = Aim("<=", 1.2) if name == ENGINE else None
        yield ratio(f"{name} on SQLite / PostgreSQL", found[name], found["PostgreSQL"], aim)
    yield from _beside_earlier(found)


def limiters(stage: Stage) -> Iterator[Figure]:
    """The cost of one limit for all workers and hosts."""
    memory, shared = stage.engine(), stage.engine("shared", RATE_LIMITER="piccolo")
    found = interleaved(stage, _loads({"memory": memory, "shared": shared}))
    yield cpu("limiter in memory", found["memory"])
    yield cpu("limiter in PostgreSQL", found["shared"])
    yield added("added by PostgreSQL / a request", found["shared"], found["memory"], Aim("<=", 0.4))
    before = stage.databases.cpu()
    requests = sample(stage, shared, shared.asking()).outcome.requests
    yield Figure(what="the database server's own", value=1_000 * (stage.databases.cpu() - before) / requests)


def tools(stage: Stage) -> Iterator[Figure]:
    """A turn that calls the model three times and two tools in between."""
    engine = stage.engine()
    found = interleaved(
        stage, {"plain": (engine, engine.asking()), "tools": (engine, engine.asking("tools", connections=8))}
    )
    yield cpu("3 steps and 2 tools", found["tools"])
    yield ratio("3 steps and 2 tools / one step", found["tools"], found["plain"])


def _beside_relay(stage: Stage, aim: Aim, **options: Any) -> Iterator[Figure]:
    engines = stage.engines()
    found = interleaved(stage, _loads({_RELAY: stage.relay, **engines}, **options))
    for name, samples in found.items():
        yield cpu(name, samples)
    for name in engines:
        yield ratio(f"{name} / {_RELAY}", found[name], found[_RELAY], aim if name == ENGINE else None)
    yield from _beside_earlier(found)


def _loads(targets: Mapping[str, Target], **options: Any) -> dict[str, tuple[Target, Load]]:
    return {name: (target, target.asking(**options)) for name, target in targets.items()}


def _beside_earlier(found: Samples) -> Iterator[Figure]:
    """Yields how the engine compares with itself at an earlier commit, if one is measured too."""
    for name, samples in found.items():
        if name.startswith(f"{ENGINE} at "):
            yield ratio(f"{ENGINE} / {name}", found[ENGINE], samples, _NO_WORSE)
