"""Measures the engine beside a bare relay, and holds what it finds against the aims: `just bench`."""

from bench.cases import CASES
from bench.command import Length, Recipe

RECIPE = Recipe(
    name="bench",
    says="Measures CPU time for each request, the engine's beside a bare relay's, and holds it against the aims.",
    cases=CASES,
    short=Length(rounds=5, seconds=0.4),
    long=Length(rounds=9, seconds=1),
)

if __name__ == "__main__":
    raise SystemExit(RECIPE.main())
