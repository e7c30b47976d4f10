from typing import Literal

import pytest

from bench.figures import Aim, Figure, Sample, difference, ratio
from bench.jobs import Outcome

OUTCOME = Outcome(requests=1, failures=0, statuses={"200": 1}, deltas=0, seconds=1.0, first_byte=None, gaps=None)


def rounds(*cpu_ms: float) -> list[Sample]:
    return [Sample(each, 1.0, OUTCOME) for each in cpu_ms]


def test_ratio_is_the_median_over_the_rounds_and_not_of_the_medians() -> None:
    found = ratio("", rounds(2, 30, 4), rounds(1, 10, 1))
    assert (found.value, found.spread) == (3, (2, 4))


def test_difference_compares_within_a_round() -> None:
    found = difference("", rounds(5, 15, 5), rounds(4, 12, 3))
    assert (found.value, found.spread) == (2, (1, 3))


@pytest.mark.parametrize(
    ("sign", "met_by"),
    [("<=", (0.9, 1.0)), ("<", (0.9,)), ("=", (1.0,)), (">=", (1.0, 1.1))],
)
def test_aim_is_met_on_its_side_of_the_bound(sign: Literal["<=", "<", "=", ">="], met_by: tuple[float, ...]) -> None:
    met = tuple(value for value in (0.9, 1.0, 1.1) if Figure(what="", value=value, aim=Aim(sign, 1.0)).is_met)
    assert met == met_by


def test_figure_without_an_aim_neither_meets_nor_misses() -> None:
    assert Figure(what="", value=1.0).is_met is None
