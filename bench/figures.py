"""What a run finds: figures, what they aim at, and whether they meet it."""

import statistics
from collections.abc import Sequence
from typing import Literal

import msgspec

from bench.jobs import Load, Outcome
from bench.stage import Stage, Target

_UNITS_OF_TIME = {"s", "ms", "µs"}
TIMES = "×"  # noqa: RUF001 - the sign of multiplication is meant


class Aim(msgspec.Struct, frozen=True):
    """What a figure has to be."""

    sign: Literal["<=", "<", "=", ">="]
    bound: float

    def is_met_by(self, value: float) -> bool:
        """Returns whether the value is as it has to be."""
        match self.sign:
            case "<=":
                return value <= self.bound
            case "<":
                return value < self.bound
            case ">=":
                return value >= self.bound
            case "=":
                return value == self.bound


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number of a case, with the lowest and the highest of its rounds."""

    what: str
    value: float
    unit: str = "ms"
    spread: tuple[float, float] | None = None
    aim: Aim | None = None
    """Of a ratio, a count or bytes: times differ between machines too much to aim at one."""

    def __post_init__(self) -> None:
        """Refuses an aim that only one machine could be measured by.

        Raises:
            ValueError: There is one, and the unit is one of time.
        """
        if self.aim is not None and self.unit in _UNITS_OF_TIME:
            raise ValueError(f"“{self.what}” is measured in {self.unit}: aim at a ratio within the run instead")

    @property
    def is_met(self) -> bool | None:
        """Whether it meets its aim; None if it has none."""
        return None if self.aim is None else self.aim.is_met_by(self.value)


class Sample(msgspec.Struct, frozen=True):
    """One round of load on one server."""

    cpu_ms: float
    """For each request."""
    cpu_share: float
    """Of one core, while the load lasted."""
    outcome: Outcome


Samples = dict[str, list[Sample]]


def sample(stage: Stage, target: Target, job: Load, *, strict: bool = True) -> Sample:
    """Returns one round; ends the run if an answer isn't right, unless that is what is looked at."""
    seconds, outcome = stage.loader.load(target.process, job)
    if strict and outcome.failures:
        raise SystemExit(f"bench: {outcome.failures} of {outcome.requests} answers to {job} are wrong: {outcome}")
    return Sample(1_000 * seconds / outcome.requests, seconds / outcome.seconds, outcome)


def interleaved(stage: Stage, loads: dict[str, tuple[Target, Load]], *, times: int = 1) -> Samples:
    """Returns the rounds of each load: in a round each has its turn, so that what the machine does meets all alike.

    Rounds are some `times` as long where what they look for comes seldom, as a full garbage collection does.
    """
    found: Samples = {name: [] for name in loads}
    for _ in range(stage.rounds):
        for name, (target, job) in loads.items():
            found[name].append(sample(stage, target, msgspec.structs.replace(job, seconds=times * stage.seconds)))
    return found


def cpu(what: str, samples: Sequence[Sample]) -> Figure:
    """Returns the CPU time of a request."""
    return middle(what, [each.cpu_ms for each in samples], unit="ms")


def ratio(what: str, above: Sequence[Sample], below: Sequence[Sample], aim: Aim | None = None) -> Figure:
    """Returns how many times the CPU time of a request in each round is that of another in the same round."""
    ratios = [one.cpu_ms / other.cpu_ms for one, other in zip(above, below, strict=True)]
    return middle(what, ratios, unit=TIMES, aim=aim)


def added(what: str, above: Sequence[Sample], below: Sequence[Sample], aim: Aim | None = None) -> Figure:
    """Returns the CPU time that a request takes more than another in the same round, as a share of the other's."""
    shares = [one.cpu_ms / other.cpu_ms - 1 for one, other in zip(above, below, strict=True)]
    return middle(what, shares, unit=TIMES, aim=aim)


def middle(what: str, values: Sequence[float], unit: str, aim: Aim | None = None) -> Figure:
    """Returns the median, with the lowest and the highest."""
    spread = (min(values), max(values))
    return Figure(what=what, value=statistics.median(values), unit=unit, spread=spread, aim=aim)
