"""The figures of a run, their aims, and whether they meet them."""

import statistics
from collections.abc import Sequence
from typing import Literal

import msgspec

from bench.harness import Harness, Target
from bench.jobs import Load, Outcome

_UNITS_OF_TIME = {"s", "ms", "µs"}
TIMES = "×"  # noqa: RUF001 - the multiplication sign is intended


class Aim(msgspec.Struct, frozen=True):
    """The bound that a figure has to meet."""

    sign: Literal["<=", "<", "=", ">="]
    bound: float

    def is_met_by(self, value: float) -> bool:
        """Returns whether the value is within the bound."""
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
    """One number of a case, with the lowest and the highest value of its rounds."""

    name: str
    value: float
    unit: str = "ms"
    spread: tuple[float, float] | None = None
    aim: Aim | None = None
    """Only for ratios, counts and bytes, because times differ too much between machines."""

    def __post_init__(self) -> None:
        """Rejects an aim for a time, which would hold on one machine only.

        Raises:
            ValueError: There is an aim, and the unit is one of time.
        """
        if self.aim is not None and self.unit in _UNITS_OF_TIME:
            raise ValueError(f"“{self.name}” is measured in {self.unit}: aim at a ratio within the run instead")

    @property
    def is_met(self) -> bool | None:
        """Whether the figure meets its aim; None if it has no aim."""
        return None if self.aim is None else self.aim.is_met_by(self.value)


class Sample(msgspec.Struct, frozen=True):
    """One round of load on one server."""

    cpu_ms: float
    """CPU milliseconds per request."""
    cpu_share: float
    """The share of one core that was used during the load."""
    outcome: Outcome


Samples = dict[str, list[Sample]]


def sample(harness: Harness, target: Target, job: Load, *, strict: bool = True) -> Sample:
    """Returns one round of load; exits if a response is wrong, unless `strict` is off."""
    seconds, outcome = harness.loader.load(target.process, job)
    if strict and outcome.failures:
        raise SystemExit(f"bench: {outcome.failures} of {outcome.requests} responses to {job} are wrong: {outcome}")
    return Sample(1_000 * seconds / outcome.requests, seconds / outcome.seconds, outcome)


def interleaved(harness: Harness, loads: dict[str, tuple[Target, Load]], *, times: int = 1) -> Samples:
    """Returns the rounds of each load, interleaved so that other activity on the machine affects all loads equally.

    `times` lengthens the rounds, for effects that are rare, such as a full garbage collection.
    """
    found: Samples = {name: [] for name in loads}
    for _ in range(harness.rounds):
        for name, (target, job) in loads.items():
            found[name].append(sample(harness, target, msgspec.structs.replace(job, seconds=times * harness.seconds)))
    return found


def cpu(name: str, samples: Sequence[Sample]) -> Figure:
    """Returns the CPU time per request."""
    return median(name, [each.cpu_ms for each in samples], unit="ms")


def ratio(name: str, numerator: Sequence[Sample], denominator: Sequence[Sample], aim: Aim | None = None) -> Figure:
    """Returns the ratio of two loads' CPU times per request, computed for each round."""
    ratios = [one.cpu_ms / other.cpu_ms for one, other in zip(numerator, denominator, strict=True)]
    return median(name, ratios, unit=TIMES, aim=aim)


def overhead(name: str, numerator: Sequence[Sample], denominator: Sequence[Sample], aim: Aim | None = None) -> Figure:
    """Returns the additional CPU time per request as a share of the other load's, computed for each round."""
    shares = [one.cpu_ms / other.cpu_ms - 1 for one, other in zip(numerator, denominator, strict=True)]
    return median(name, shares, unit=TIMES, aim=aim)


def median(name: str, values: Sequence[float], unit: str, aim: Aim | None = None) -> Figure:
    """Returns the median, with the lowest and the highest value."""
    spread = (min(values), max(values))
    return Figure(name=name, value=statistics.median(values), unit=unit, spread=spread, aim=aim)
