import math
import operator
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyant.adapters.tools.arithmetic import describe, evaluate
from polyant.domain.tools import ToolError

EXAMPLES = [
    ("1 + 2", "3"),
    ("0.1 + 0.2", "3/10 = 0.3"),
    ("19.99 * 3", "5997/100 = 59.97"),
    ("1/3", "1/3 ≈ 0.333333333333333333333333333333"),
    ("1/3 * 3", "1"),
    ("2/3", "2/3 ≈ 0.666666666666666666666666666667"),
    ("-2**2", "-4"),
    ("2**-2", "1/4 = 0.25"),
    ("2**3**2", "512"),
    ("10 - 2 - 3", "5"),
    ("1 + 2 * 3", "7"),
    ("(1 + 2) * 3", "9"),
    ("- -3", "3"),
    ("+3", "3"),
    ("7 // 2", "3"),
    ("-7 // 2", "-4"),
    ("-7 % 3", "2"),
    ("7.5 % 2", "3/2 = 1.5"),
    ("0xff + 0b11 + 0O17", "273"),
    ("1.5e3", "1500"),
    ("5.", "5"),
    (".5", "1/2 = 0.5"),
    ("1e-40", "1/10000000000000000000000000000000000000000 = 1E-40"),
    ("10**40 / 3", f"1{'0' * 40}/3 ≈ 3.33333333333333333333333333333E+39"),
    ("2**200", "1606938044258990275541962092341162602522202993782792835301376"),
    ("0**0", "1"),
    ("1**999999999999", "1"),
    ("(-1)**10**30", "1"),
    ("sqrt(16/9)", "4/3 ≈ 1.33333333333333333333333333333"),
    ("sqrt(0)", "0"),
    ("abs(-3.5)", "7/2 = 3.5"),
    ("round(2.675, 2)", "67/25 = 2.68"),
    ("round(2.5) + round(3.5)", "6"),
    ("round(12345, -2)", "12300"),
    ("floor(-1/2)", "-1"),
    ("ceil(-1/2)", "0"),
    ("min(3, 1/2, 2)", "1/2 = 0.5"),
    ("max(3)", "3"),
    ("6 × 7 ÷ 2 − 1", "20"),  # noqa: RUF001 - signs as people write them
    ("1\n+\t1", "2"),
]

ROUNDED = [
    ("sqrt(2)", math.sqrt(2)),
    ("2**0.5", math.sqrt(2)),
    ("2**-0.5", 2**-0.5),
    ("pi", math.pi),
    ("2*pi - e", 2 * math.pi - math.e),
    ("e**pi", math.e**math.pi),
    ("100 * 1.05**(1/12)", 100 * 1.05 ** (1 / 12)),
    ("sqrt(2)**2", 2),
    ("8**(1/3)", 2),
    ("floor(pi)", 3),
    ("min(pi, 3)", 3),
    ("1e400**0.25", 1e100),
    ("sqrt(2e-200)", math.sqrt(2e-200)),
]

REFUSED = [
    ("1/0", "Division by zero"),
    ("1 // 0", "Division by zero"),
    ("1 % 0", "Division by zero"),
    ("0**-1", "Division by zero"),
    ("0**-0.5", "Division by zero"),
    ("sqrt(-1)", "no real square root"),
    ("(-8)**(1/3)", "no real value"),
    ("round(1, 0.5)", "whole number of digits"),
    ("round(1, 10**9)", "whole number of digits"),
    ("abs()", "abs takes 1 argument, not 0"),
    ("round(1, 2, 3)", "round takes 1 or 2 arguments, not 3"),
    ("max()", "max takes at least 1 argument, not 0"),
    ("1,000 + 1", "write 1000, not 1,000"),
    ("max", "can't be calculated: max"),
    ("pi(2)", r"can't be calculated: pi\(2\)"),
    ("2(3)", r"can't be calculated: 2\(3\)"),
    ("max(*1)", "can't be calculated"),
    ("max(**pi)", "can't be calculated"),
    ("()", "can't be calculated"),
]

TOO_MUCH = [
    ("9**9**9", "too large"),
    ("9**9**9**9", "too large"),
    ("10**-10**10", "too large"),
    ("0.5**1e9", "too large"),
    ("1e9999", "too large"),
    ("1e-9999", "too precise"),
    ("2**(1e9 + 0.5)", "too large"),
    ("2**8000 * 2**8000", "too large"),
    ("2**2**2**2**2" * 30, "too large|too deeply"),
    ("2**" * 300 + "1", "nested too deeply"),
    ("-" * 900 + "1", "nested too deeply"),
    ("+".join(["2**8000"] * 100), "too much work"),
    ("+".join(["1/3**5000"] * 90), "too much work"),
    ("%".join(["(3**5000)", "(1/7**2900)"] * 40), "too much work"),
]


@pytest.mark.parametrize(("expression", "result"), EXAMPLES)
def test_result_is_exact_and_readable(expression: str, result: str) -> None:
    assert describe(evaluate(expression)) == result


@pytest.mark.parametrize(("expression", "value"), ROUNDED)
def test_rounded_result_is_close_and_marked(expression: str, value: float) -> None:
    sign, _, shown = describe(evaluate(expression)).partition(" ")
    assert sign == "≈"
    assert float(shown) == pytest.approx(value, rel=1e-15)


def test_rounded_result_has_no_trailing_zeros() -> None:
    assert describe(evaluate("4**0.5 * 50")) == "≈ 100"


@pytest.mark.parametrize(("expression", "reason"), REFUSED)
def test_expression_without_a_value_is_refused_with_the_reason(expression: str, reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        evaluate(expression)


@pytest.mark.parametrize(("expression", "reason"), TOO_MUCH, ids=[case[0][:20] for case in TOO_MUCH])
def test_excessive_work_is_refused_before_it_starts(expression: str, reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        evaluate(expression)


def test_long_sum_does_not_count_as_nesting() -> None:
    assert describe(evaluate("+".join(["1"] * 500))) == "500"


SIGNS: dict[str, Callable[[Fraction, Fraction], Fraction | int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
numbers = st.decimals(0, 10**6, places=3).map(lambda decimal: (f"{decimal:f}", Fraction(decimal)))


def combined(parts: st.SearchStrategy[tuple[str, Fraction]]) -> st.SearchStrategy[tuple[str, Fraction]]:
    def combine(left: tuple[str, Fraction], sign: str, right: tuple[str, Fraction]) -> tuple[str, Fraction]:
        right = right if right[1] else ("1", Fraction(1))
        return f"({left[0]}) {sign} ({right[0]})", Fraction(SIGNS[sign](left[1], right[1]))

    return st.builds(combine, parts, st.sampled_from(sorted(SIGNS)), parts)


@given(st.recursive(numbers, combined, max_leaves=12))
def test_result_matches_fractions(case: tuple[str, Fraction]) -> None:
    text, value = case
    assert evaluate(text) == (value, True)


@given(st.text(alphabet="0123456789.e+-*/%(), pisqrtmaxround", max_size=60))
def test_any_text_is_evaluated_or_refused(text: str) -> None:
    try:
        assert describe(evaluate(text))
    except ToolError as error:
        assert str(error)  # noqa: PT017 - an error is allowed
