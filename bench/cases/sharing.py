"""Two workers beside one."""

from collections.abc import Iterator

import msgspec

from bench.figures import Aim, Figure, cpu, interleaved, ratio, sample
from bench.stage import Stage

_LIMIT = 20
_ASKED = 200


def workers(stage: Stage) -> Iterator[Figure]:
    """Two workers: the cost of a request in both together, and whether they share one limit."""
    one = stage.engine("shared", RATE_LIMITER="piccolo")
    two = stage.engine("two workers", workers=2, RATE_LIMITER="piccolo")
    found = interleaved(stage, {"one": (one, one.asking()), "two": (two, two.asking())})
    yield cpu("one worker", found["one"])
    yield cpu("two workers", found["two"])
    yield ratio("two workers / one", found["two"], found["one"], Aim("<=", 1.15))
    # In a database of its own: where the limit is shared, the calls of the others count too.
    limited = stage.engine("limited", instances=1, workers=2, RATE_LIMITER="piccolo", RATE_LIMIT=f"{_LIMIT}/60")
    job = msgspec.structs.replace(limited.asking(requests=_ASKED, warm=False), addresses=1)
    passed = sample(stage, limited, job, strict=False).outcome.statuses.get("200", 0)
    what = f"of {_ASKED} calls at {_LIMIT} a minute, let through by both"
    yield Figure(what=what, value=passed, unit="", aim=Aim("=", _LIMIT))
