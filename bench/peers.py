"""Measures the engine beside LiteLLM's proxy, Portkey's gateway and nginx, on the same work: `just bench-peers`."""

import time
from collections.abc import Callable, Iterator
from itertools import count

from bench.command import Length, Recipe
from bench.figures import Aim, Figure, Samples, cpu, interleaved, middle, ratio
from bench.peer_servers import litellm, litellm_version, nginx, nginx_version, portkey, portkey_version
from bench.stage import Stage, Target

_STARTS = 3


def non_streaming(stage: Stage) -> Iterator[Figure]:
    """Requests that are answered whole."""
    loads = {name: (each, each.asking()) for name, each in _targets(stage).items()}
    yield from _figures(interleaved(stage, loads), Aim(">=", 20))


def streaming(stage: Stage) -> Iterator[Figure]:
    """Streams of 200 deltas that come at once."""
    loads = {
        # nginx cuts what it passes on where its buffer ends, in the middle of a delta too.
        name: (each, each.asking(stream=True, connections=8, deltas=0 if name == "nginx" else 200))
        for name, each in _targets(stage).items()
    }
    yield from _figures(interleaved(stage, loads), Aim(">=", 45))


def memory(stage: Stage) -> Iterator[Figure]:
    """Resident memory of a worker, after that load."""
    for name, target in _targets(stage).items():
        yield Figure(what=name, value=target.process.rss(), unit="MiB")


def starts(stage: Stage) -> Iterator[Figure]:
    """From the command to the first answer; the engine on a database that is there."""
    number = count()
    ways: dict[str, Callable[[], Target]] = {
        "engine": lambda: stage.engine(f"engine {next(number)}"),
        "LiteLLM": lambda: litellm(stage, f"LiteLLM {next(number)}"),
    }
    for name, start in ways.items():
        found = [_start(start) for _ in range(_STARTS)]
        yield middle(name, [seconds for seconds, _ in found], "s")
        yield middle(f"CPU of {name}", [used for _, used in found], "s")


def _targets(stage: Stage) -> dict[str, Target]:
    return {
        "nginx": nginx(stage),
        "bare relay": stage.relay,
        "engine": stage.engine(),
        "Portkey": portkey(stage),
        "LiteLLM": litellm(stage),
    }


def _figures(found: Samples, aim: Aim) -> Iterator[Figure]:
    """Yields what each server takes, and how much more LiteLLM takes than the engine, which is the aim's."""
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
    says="Measures CPU time for each request, the engine's beside LiteLLM's, Portkey's and nginx's.",
    cases={"non-streaming": non_streaming, "streaming": streaming, "memory": memory, "start": starts},
    short=Length(rounds=5, seconds=2),
    long=Length(rounds=9, seconds=4),
    versions=lambda: {"litellm": litellm_version(), "portkey": portkey_version(), "nginx": nginx_version()},
)

if __name__ == "__main__":
    raise SystemExit(RECIPE.main())
