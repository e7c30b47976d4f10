"""What a request costs, beside the bare relay."""

from collections.abc import Iterator

from bench.figures import Aim, Figure, cpu, difference, interleaved, ratio, sample
from bench.jobs import Load
from bench.stage import Stage, Target


def non_streaming(stage: Stage) -> Iterator[Figure]:
    """Requests that are answered whole."""
    engine, relay = stage.engine(), stage.relay
    found = interleaved(stage, {"relay": (relay, relay.asking()), "engine": (engine, engine.asking())})
    yield cpu("bare relay", found["relay"])
    yield cpu("engine", found["engine"], Aim("<=", 0.60))
    yield ratio("engine / bare relay", found["engine"], found["relay"], Aim("<=", 2.5))


def streaming(stage: Stage) -> Iterator[Figure]:
    """Streams of 200 deltas that come at once."""
    engine, relay = stage.engine(), stage.relay
    found = interleaved(stage, {"relay": _streams_of(relay), "engine": _streams_of(engine)})
    yield cpu("bare relay", found["relay"])
    yield cpu("engine", found["engine"], Aim("<=", 5.0))
    yield ratio("engine / bare relay", found["engine"], found["relay"], Aim("<=", 1.5))


def limiters(stage: Stage) -> Iterator[Figure]:
    """The cost of one limit for all workers and hosts."""
    memory, shared = stage.engine(), stage.engine("shared", RATE_LIMITER="piccolo")
    found = interleaved(stage, {"memory": (memory, memory.asking()), "shared": (shared, shared.asking())})
    yield cpu("limiter in memory", found["memory"])
    yield cpu("limiter in PostgreSQL", found["shared"])
    yield difference("more in PostgreSQL", found["shared"], found["memory"], Aim("<=", 0.4))
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


def _streams_of(target: Target) -> tuple[Target, Load]:
    return target, target.asking(stream=True, deltas=200, connections=8)
