"""Parsers of form fields: each returns the value, or raises the error that the field shows."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from polyant.domain.base_urls import parse_base_url
from polyant.domain.digits import parse_digits
from polyant.domain.errors import InvalidInputError
from polyant.domain.instances import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_MODEL_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_TEMPERATURE,
)
from polyant.http.panel.forms import Form

T = TypeVar("T")
FieldParser = Callable[[str], object]

_MAX_DIGITS = 9
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+")
"""Either thousands or a decimal comma: nobody can tell which."""


def text_field(what: str, *, maximum: int, required: bool = False) -> Callable[[str], str]:
    """Returns a parser for a text; `what` begins the error, such as `A name`."""

    def parse(text: str) -> str:
        if required and not text:
            raise InvalidInputError(f"{what} is missing")
        if len(text) > maximum:
            raise InvalidInputError(f"{what} has at most {maximum:,} characters")
        return text

    return parse


def number_field(what: str, *, minimum: float, maximum: float, example: str) -> Callable[[str], float | None]:
    """Returns a parser for an optional number."""
    rule = f"{what} is a number from {minimum:,g} to {maximum:,g}, for example {example}"

    def parse(text: str) -> float | None:
        if not text:
            return None
        if _THOUSANDS.fullmatch(text):
            raise InvalidInputError(f"{rule}, without separators between thousands")
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            raise InvalidInputError(rule) from None
        if not minimum <= number <= maximum:
            raise InvalidInputError(rule)
        return number

    return parse


def whole_number_field(what: str, *, minimum: int, maximum: int, example: str) -> Callable[[str], int | None]:
    """Returns a parser for an optional whole number."""
    rule = f"{what} is a whole number from {minimum:,} to {maximum:,}, for example {example}"

    def parse(text: str) -> int | None:
        if not text:
            return None
        number = parse_digits(text.replace(",", ""), at_most=_MAX_DIGITS)
        if number is None or not minimum <= number <= maximum:
            raise InvalidInputError(rule)
        return number

    return parse


def with_default(default: int, parse: Callable[[str], int | None]) -> Callable[[str], int]:
    """Returns the parser of a number with a default for an empty field."""

    def parse_number(text: str) -> int:
        number = parse(text)
        return default if number is None else number

    return parse_number


def choice_field(choices: Mapping[str, T]) -> Callable[[str], T]:
    """Returns a parser for one of the values of a list."""

    def parse(text: str) -> T:
        if text not in choices:
            raise InvalidInputError(f"Choose one of: {', '.join(choices)}")
        return choices[text]

    return parse


def base_url_field(text: str) -> str | None:
    """Returns the base URL, or None if the field is empty.

    Raises:
        InvalidInputError: It isn't a base URL.
    """
    return parse_base_url(text) if text else None


name_field = text_field("A name", maximum=MAX_NAME_CHARACTERS, required=True)
description_field = text_field("A description", maximum=MAX_DESCRIPTION_CHARACTERS)
model_field = text_field("A model", maximum=MAX_MODEL_CHARACTERS)
temperature_field = number_field("Temperature", minimum=0, maximum=MAX_TEMPERATURE, example="0.7")


def parsed(form: Form, parsers: Mapping[str, FieldParser]) -> dict[str, object]:
    """Returns the parsed values by field; invalid ones are None, and their errors are recorded in the form."""
    return {name: form.parse(name, parse) for name, parse in parsers.items()}
