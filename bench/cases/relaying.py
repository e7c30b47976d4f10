"""The cost of a request, compared with the bare relay."""

from collections.abc import Iterator, Mapping
from typing import Any

from bench.figures import Aim, Figure, Samples, cpu, interleaved, overhead, ratio, sample
from bench.harness import ENGINE, Harness, Target
from bench.jobs import Load

_RELAY = "bare relay"
_NO_WORSE = Aim("<=", 1.05)
"""Compared with an earlier commit: a difference of less than 5 % can't be told from noise."""


def non_streaming(harness: Harness) -> Iterator[Figure]:
    """Non-streamed requests."""
    yield from _compared_with_relay(harness, Aim("<=", 2.5))


def streaming(harness: Harness) -> Iterator[Figure]:
    """Streams of 200 deltas that the provider sends at once."""
    yield from _compared_with_relay(harness, Aim("<=", 1.3), stream=True, deltas=200, connections=8)


def embedded(harness: Harness) -> Iterator[Figure]:
    """The embedded default, SQLite with one worker, compared with PostgreSQL; both log every turn."""
    targets = harness.embedded_engines()
    # Longer rounds: turns are written once per second.
    found = interleaved(harness, _loads({"PostgreSQL": harness.engine(), **targets}), times=3)
    for name, samples in found.items():
        yield cpu(name if name == "PostgreSQL" else f"{name} on SQLite", samples)
    for name in targets:
        aim = Aim("<=", 1.2) if name == ENGINE else None
        yield ratio(f"{name} on SQLite / PostgreSQL", found[name], found["PostgreSQL"], aim)
    yield from _compared_with_earlier(found)


def limiters(harness: Harness) -> Iterator[Figure]:
    """The cost of a rate limit that all workers and hosts share."""
    memory, shared = harness.engine(), harness.engine("shared", RATE_LIMITER="piccolo")
    found = interleaved(harness, _loads({"memory": memory, "shared": shared}))
    yield cpu("limiter in memory", found["memory"])
    yield cpu("limiter in PostgreSQL", found["shared"])
    yield overhead("overhead by PostgreSQL / a request", found["shared"], found["memory"], Aim("<=", 0.4))
    before = harness.databases.cpu()
    requests = sample(harness, shared, shared.load()).outcome.requests
    yield Figure(name="the database server's own", value=1_000 * (harness.databases.cpu() - before) / requests)


def tracing(harness: Harness) -> Iterator[Figure]:
    """The cost of traces: OpenTelemetry spans of each turn, sent to a collector that accepts them."""
    collector = harness.url_of(harness.stub)  # responds 200 to any POST
    traced = harness.engine("traced", TURN_OBSERVERS="otel", OTEL_EXPORTER_OTLP_ENDPOINT=collector)
    plain = harness.engine()
    options: Mapping[str, Mapping[str, Any]] = {
        "whole": {},
        "stream": {"stream": True, "deltas": 200, "connections": 8},
    }
    for kind, load in options.items():
        found = interleaved(harness, _loads({"off": plain, "on": traced}, **load), times=3)
        for name, samples in found.items():
            yield cpu(f"{kind}, tracing {name}", samples)
        yield ratio(f"{kind}, tracing on / off", found["on"], found["off"], Aim("<=", 1.05))


def tools(harness: Harness) -> Iterator[Figure]:
    """A turn that calls the model three times and two tools in between."""
    engine = harness.engine()
    found = interleaved(
        harness, {"plain": (engine, engine.load()), "tools": (engine, engine.load("tools", connections=8))}
    )
    yield cpu("3 steps and 2 tools", found["tools"])
    yield ratio("3 steps and 2 tools / one step", found["tools"], found["plain"])


def _compared_with_relay(harness: Harness, aim: Aim, **options: Any) -> Iterator[Figure]:
    engines = harness.engines()
    found = interleaved(harness, _loads({_RELAY: harness.relay, **engines}, **options))
    for name, samples in found.items():
        yield cpu(name, samples)
    for name in engines:
        yield ratio(f"{name} / {_RELAY}", found[name], found[_RELAY], aim if name == ENGINE else None)
    yield from _compared_with_earlier(found)


def _loads(targets: Mapping[str, Target], **options: Any) -> dict[str, tuple[Target, Load]]:
    return {name: (target, target.load(**options)) for name, target in targets.items()}


def _compared_with_earlier(found: Samples) -> Iterator[Figure]:
    """Yields the ratio of the engine to its version at an earlier commit, if that is measured too."""
    for name, samples in found.items():
        if name.startswith(f"{ENGINE} at "):
            yield ratio(f"{ENGINE} / {name}", found[ENGINE], samples, _NO_WORSE)
