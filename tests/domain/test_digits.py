import pytest

from polyant.domain.digits import parse_digits


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("007", 7), ("999", 999)])
def test_digits_are_a_number(text: str, number: int) -> None:
    assert parse_digits(text, at_most=3) == number


@pytest.mark.parametrize(
    "text", ["", " 7", "7 ", "+7", "-7", "7.0", "7_0", "\u00b2", "\u0667", "\uff17", "\0", "1000", "9" * 100_000]
)
def test_other_texts_are_none(text: str) -> None:
    assert parse_digits(text, at_most=3) is None
