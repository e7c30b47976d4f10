"""Measures the engine next to a bare relay and compares the results with the aims: `just bench`."""

from bench.cases import CASES
from bench.command import Length, Recipe

RECIPE = Recipe(
    name="bench",
    description="Measures the CPU time per request of the engine and of a bare relay, and compares it with the aims.",
    cases=CASES,
    short=Length(rounds=5, seconds=0.4),
    long=Length(rounds=9, seconds=1),
)

if __name__ == "__main__":
    raise SystemExit(RECIPE.main())
