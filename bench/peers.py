"""Compares the engine with LiteLLM's proxy, Portkey's gateway and nginx on the same work: `just bench-peers`."""

import time
from collections.abc import Callable, Iterator
from itertools import count

from bench.command import Length, Recipe
from bench.figures import Aim, Figure, Samples, cpu, interleaved, median, ratio
from bench.harness import Harness, Target
from bench.peer_servers import litellm, litellm_version, nginx, nginx_version, portkey, portkey_version

_STARTS = 3


def non_streaming(harness: Harness) -> Iterator[Figure]:
    """Non-streamed requests."""
    loads = {name: (each, each.load()) for name, each in _targets(harness).items()}
    yield from _figures(interleaved(harness, loads), Aim(">=", 20))


def streaming(harness: Harness) -> Iterator[Figure]:
    """Streams of 200 deltas that the provider sends at once."""
    loads = {
        # nginx splits its output where its buffer ends, even in the middle of a delta.
        name: (each, each.load(stream=True, connections=8, deltas=0 if name == "nginx" else 200))
        for name, each in _targets(harness).items()
    }
    yield from _figures(interleaved(harness, loads), Aim(">=", 45))


def memory(harness: Harness) -> Iterator[Figure]:
    """Resident memory of a worker after these loads."""
    for name, target in _targets(harness).items():
        yield Figure(name=name, value=target.process.rss(), unit="MiB")


def starts(harness: Harness) -> Iterator[Figure]:
    """From the command to the first response; the engine uses an existing database."""
    number = count()
    ways: dict[str, Callable[[], Target]] = {
        "engine": lambda: harness.engine(f"engine {next(number)}"),
        "LiteLLM": lambda: litellm(harness, f"LiteLLM {next(number)}"),
    }
    for name, start in ways.items():
        found = [_start(start) for _ in range(_STARTS)]
        yield median(name, [seconds for seconds, _ in found], "s")
        yield median(f"CPU of {name}", [used for _, used in found], "s")


def _targets(harness: Harness) -> dict[str, Target]:
    return {
        "nginx": nginx(harness),
        "bare relay": harness.relay,
        "engine": harness.engine(),
        "Portkey": portkey(harness),
        "LiteLLM": litellm(harness),
    }


def _figures(found: Samples, aim: Aim) -> Iterator[Figure]:
    """Yields the CPU time of each server, and the ratios between them; the aim applies to LiteLLM / engine."""
    for name, samples in found.items():
        yield cpu(name, samples)
    yield ratio("engine / nginx", found["engine"], found["nginx"])
    yield ratio("Portkey / engine", found["Portkey"], found["engine"])
    yield ratio("LiteLLM / engine", found["LiteLLM"], found["engine"], aim)


def _start(start: Callable[[], Target]) -> tuple[float, float]:
    began = time.perf_counter()
    process = start().process
    return time.perf_counter() - began, process.cpu()


RECIPE = Recipe(
    name="bench-peers",
    description="Measures the CPU time per request of the engine, LiteLLM, Portkey and nginx.",
    cases={"non-streaming": non_streaming, "streaming": streaming, "memory": memory, "start": starts},
    short=Length(rounds=5, seconds=2),
    long=Length(rounds=9, seconds=4),
    versions=lambda: {"litellm": litellm_version(), "portkey": portkey_version(), "nginx": nginx_version()},
)

if __name__ == "__main__":
    raise SystemExit(RECIPE.main())
