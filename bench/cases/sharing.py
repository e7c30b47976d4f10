"""Two workers, compared with one."""

from collections.abc import Iterator

import msgspec

from bench.figures import Aim, Figure, cpu, interleaved, ratio, sample
from bench.harness import Harness

_LIMIT = 20
_CALLS = 200


def workers(harness: Harness) -> Iterator[Figure]:
    """Two workers: the cost of a request in both together, and whether they share one rate limit."""
    one = harness.engine("shared", RATE_LIMITER="piccolo")
    two = harness.engine("two workers", workers=2, RATE_LIMITER="piccolo")
    found = interleaved(harness, {"one": (one, one.load()), "two": (two, two.load())})
    yield cpu("one worker", found["one"])
    yield cpu("two workers", found["two"])
    yield ratio("two workers / one", found["two"], found["one"], Aim("<=", 1.15))
    # Uses a separate database: a shared limit would also count the calls of the other engines.
    limited = harness.engine("limited", instances=1, workers=2, RATE_LIMITER="piccolo", RATE_LIMIT=f"{_LIMIT}/60")
    job = msgspec.structs.replace(limited.load(requests=_CALLS, warm=False), addresses=1)
    passed = sample(harness, limited, job, strict=False).outcome.statuses.get("200", 0)
    name = f"of {_CALLS} calls at {_LIMIT} per minute, allowed by both"
    yield Figure(name=name, value=passed, unit="", aim=Aim("=", _LIMIT))
