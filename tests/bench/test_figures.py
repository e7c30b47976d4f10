from typing import Literal

import pytest

from bench.figures import Aim, Figure, Sample, overhead, ratio
from bench.jobs import Outcome

OUTCOME = Outcome(requests=1, failures=0, statuses={"200": 1}, deltas=0, seconds=1.0, first_byte=None, gaps=None)


def rounds(*cpu_ms: float) -> list[Sample]:
    return [Sample(each, 1.0, OUTCOME) for each in cpu_ms]


def test_ratio_is_the_median_of_the_ratios_per_round() -> None:
    found = ratio("", rounds(2, 30, 4), rounds(1, 10, 1))
    assert (found.value, found.spread) == (3, (2, 4))


def test_overhead_is_relative_to_the_other_load_in_the_same_round() -> None:
    found = overhead("", rounds(5, 12, 6), rounds(4, 8, 2))
    assert (found.value, found.spread) == (0.5, (0.25, 2))


@pytest.mark.parametrize(
    ("sign", "met_by"),
    [("<=", (0.9, 1.0)), ("<", (0.9,)), ("=", (1.0,)), (">=", (1.0, 1.1))],
)
def test_aim_is_met_on_its_side_of_the_bound(sign: Literal["<=", "<", "=", ">="], met_by: tuple[float, ...]) -> None:
    met = tuple(value for value in (0.9, 1.0, 1.1) if Figure(name="", value=value, unit="", aim=Aim(sign, 1.0)).is_met)
    assert met == met_by


def test_figure_without_an_aim_is_neither_met_nor_missed() -> None:
    assert Figure(name="", value=1.0).is_met is None


@pytest.mark.parametrize("unit", ["s", "ms", "µs"])
def test_aim_for_a_time_is_rejected(unit: str) -> None:
    with pytest.raises(ValueError, match="aim at a ratio"):
        Figure(name="", value=1.0, unit=unit, aim=Aim("<=", 1.0))
