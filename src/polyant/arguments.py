"""What a class or function asks for: its arguments, by annotated type."""

import functools
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from polyant.domain.errors import PolyantError

_VARIADIC = frozenset({inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})


class WiringError(Exception):
    """Something can't be built; the message is one line and says what, and why."""


class Argument(msgspec.Struct, frozen=True):
    """An argument that is looked up by its type."""

    name: str
    types: tuple[Any, ...]
    """The types that fit, None excepted; empty without an annotation."""
    required: bool
    positional: bool = False
    """Whether it can't be given by name."""

    def replaced(self, others: Mapping[str, Any]) -> "Argument":
        """Returns the argument with other types in place of some, by their keys."""
        return msgspec.structs.replace(self, types=tuple(others.get(key_of(kind), kind) for kind in self.types))

    def __str__(self) -> str:
        """Returns the argument as it is written in a signature."""
        return f"{self.name}: {' | '.join(map(name_of, self.types))}" if self.types else self.name


def arguments_of(make: Callable[..., object], label: str) -> tuple[Argument, ...]:
    """Returns the arguments of a class or function; `*args`, `**kwargs` and built-in types have none.

    Raises:
        WiringError: An annotation can't be resolved; the message begins with the label and names the argument.
    """
    try:
        parameters = inspect.signature(make).parameters.values()
    except ValueError:  # some of Python's own types don't tell
        return ()
    names = _globals_of(make)
    return tuple(
        Argument(
            parameter.name,
            _types_of(parameter, names, label),
            required=parameter.default is parameter.empty,
            positional=parameter.kind is parameter.POSITIONAL_ONLY,
        )
        for parameter in parameters
        if parameter.kind not in _VARIADIC
    )


def key_of(kind: Any) -> str:
    """Returns the full name of a type, which stands for it also where it isn't imported."""
    origin = get_origin(kind)
    if origin is not None:
        return f"{key_of(origin)}[{', '.join(map(key_of, get_args(kind)))}]"
    if hasattr(kind, "__qualname__"):
        return f"{kind.__module__}.{kind.__qualname__}"
    return repr(kind)


def name_of(kind: Any) -> str:
    """Returns the name of a type as people write it, without its modules."""
    return re.sub(r"[\w.<>]+\.", "", key_of(kind))


def one_line(error: BaseException) -> str:
    """Returns what an error says, in one line; with its type unless it is one of ours, which say enough."""
    text = " ".join(str(error).split())
    return text if isinstance(error, PolyantError) else f"{type(error).__name__}{text and f': {text}'}"


def _types_of(parameter: inspect.Parameter, names: dict[str, Any], label: str) -> tuple[Any, ...]:
    if parameter.annotation is parameter.empty:
        return ()

    def bearer() -> None: ...

    bearer.__annotations__ = {parameter.name: parameter.annotation}
    try:
        kind = get_type_hints(bearer, globalns=names)[parameter.name]
    except Exception as error:  # an annotation may be any expression
        raise WiringError(
            f"{label}: the annotation of its argument '{parameter.name}' can't be resolved: {one_line(error)}"
        ) from error
    return tuple(each for each in _members_of(kind) if each is not NoneType)


def _members_of(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)


def _globals_of(make: Any) -> dict[str, Any]:
    """Returns the names that string annotations refer to."""
    function = make
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isclass(function):
        function = next(
            (member for member in (function.__init__, function.__new__) if hasattr(member, "__globals__")), function
        )
    elif not hasattr(function, "__globals__") and not inspect.ismethod(function):
        function = type(function).__call__
    found: dict[str, Any] | None = getattr(inspect.unwrap(function), "__globals__", None)
    return found if found is not None else vars(sys.modules[make.__module__])
