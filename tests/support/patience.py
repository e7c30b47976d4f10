"""Scales time limits to the speed of this machine.

Every time limit in a test goes through `seconds`, so that no test fails because the machine is slow. The first process
measures the factor once; its children, such as the processes of pytest-xdist, inherit it through the environment.
"""

import os
import time

VARIABLE = "TESTS_PATIENCE"
"""The environment variable that holds the factor; set it to skip the measurement."""

_ROUNDS = 200_000
_REFERENCE_SECONDS = 0.005
"""The duration of `_work` on the reference machine."""
_SAMPLES = 5
_MAX_FACTOR = 50.0


def _work() -> None:
    total = 0
    for number in range(_ROUNDS):
        total += number & 7


def _measure() -> float:
    """Returns the factor, at least 1. It is measured in wall-clock time: a busy machine counts as slow."""
    began = time.perf_counter()
    for _ in range(_SAMPLES):
        _work()
    taken = (time.perf_counter() - began) / _SAMPLES
    return min(max(1.0, taken / _REFERENCE_SECONDS), _MAX_FACTOR)


def factor() -> float:
    """Returns the factor, measured at the first call in this process and its parents."""
    known = os.environ.get(VARIABLE)
    if known is None:
        known = os.environ[VARIABLE] = f"{_measure():.2f}"
    return float(known)


def seconds(on_reference: float) -> float:
    """Returns a time limit for this machine, given the limit in seconds on the reference machine."""
    return on_reference * factor()


PATIENCE = seconds(30)
"""How long a test waits, in seconds, for something that should happen at once before it fails."""
