import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NewType, Optional

import msgspec
import pytest

from polyant.arguments import WiringError, arguments_of, key_of, name_of, one_line
from polyant.domain.errors import InvalidInputError, UnavailableError
from polyant.domain.ports.clock import Clock

if TYPE_CHECKING:
    from polyant.domain.ports.tool import Tool

Days = NewType("Days", int)


class Settings(msgspec.Struct, kw_only=True):
    days: Days
    clock: "Clock"


class Base:
    def __init__(self, *, clock: "Clock", **others: int) -> None: ...


class Derived(Base): ...


class Calling:
    def __call__(self, clock: Clock, *rest: str) -> None: ...


def positional(clock: "Clock", /, days: "Optional[Days]" = None) -> None:  # noqa: UP045 - tests both spellings
    ...


def shown(make: Callable[..., object]) -> list[str]:
    return [f"{argument}{'' if argument.required else ' = …'}" for argument in arguments_of(make, "it")]


@pytest.mark.parametrize(
    "make, arguments",
    [
        (Base, ["clock: Clock"]),
        (Derived, ["clock: Clock"]),
        (Calling(), ["clock: Clock"]),
        (Settings, ["days: Days", "clock: Clock"]),
        (positional, ["clock: Clock", "days: Days = …"]),
        (functools.partial(positional, days=Days(3)), ["clock: Clock", "days: Days = …"]),
        (lambda one, two=2: (one, two), ["one", "two = …"]),
        (dict, []),
        (Clock, []),
    ],
)
def test_arguments_are_read_from_string_annotations(make: Callable[..., object], arguments: list[str]) -> None:
    assert shown(make) == arguments


def test_positional_only_argument_is_distinguished() -> None:
    assert [argument.positional for argument in arguments_of(positional, "it")] == [True, False]


def test_unresolvable_annotation_names_its_argument() -> None:
    def make(clock: "Clock", tool: "Tool") -> None: ...

    message = r"\Ait: the annotation of its argument 'tool' can't be resolved: NameError: name 'Tool' is not defined\Z"
    with pytest.raises(WiringError, match=message):
        arguments_of(make, "it")


@pytest.mark.parametrize(
    "kind, key, name",
    [
        (Clock, "polyant.domain.ports.clock.Clock", "Clock"),
        (Days, f"{__name__}.Days", "Days"),
        (Mapping[str, Clock], "collections.abc.Mapping[builtins.str, polyant.domain.ports.clock.Clock]", None),
        (dict[str, list[Path]], "builtins.dict[builtins.str, builtins.list[pathlib.Path]]", "dict[str, list[Path]]"),
        (Annotated[int, "note"], "typing.Annotated[builtins.int, 'note']", None),
    ],
)
def test_types_have_full_names_and_short_ones(kind: Any, key: str, name: str | None) -> None:
    assert key_of(kind) == key
    assert name_of(kind) == name or name is None


@pytest.mark.parametrize(
    "error, line",
    [
        (ValueError("one\n  two"), "ValueError: one two"),
        (ValueError(), "ValueError"),
        (InvalidInputError("One is wrong"), "One is wrong"),
        (UnavailableError("Away"), "Away"),
    ],
)
def test_error_is_described_in_one_line(error: Exception, line: str) -> None:
    assert one_line(error) == line
