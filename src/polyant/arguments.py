"""Reads the arguments of classes and functions, with their annotated types."""

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
    """An instance can't be built; the message names it and the reason in one line."""


class Argument(msgspec.Struct, frozen=True):
    """An argument that the container injects by type."""

    name: str
    types: tuple[Any, ...]
    """The accepted types without None; empty without an annotation."""
    required: bool
    positional: bool = False
    """Whether the argument is positional-only."""

    def overridden(self, overrides: Mapping[str, Any]) -> "Argument":
        """Returns the argument with some of its types replaced.

        Args:
            overrides: The new types, by the keys of the replaced ones (see `key_of`).
        """
        return msgspec.structs.replace(self, types=tuple(overrides.get(key_of(kind), kind) for kind in self.types))

    def __str__(self) -> str:
        """Returns the argument as in a signature."""
        return f"{self.name}: {' | '.join(map(name_of, self.types))}" if self.types else self.name


def arguments_of(make: Callable[..., object], label: str) -> tuple[Argument, ...]:
    """Returns the arguments of a class or function, except `*args` and `**kwargs`; built-in types have none.

    Args:
        make: The class or function.
        label: The start of error messages.

    Raises:
        WiringError: An annotation can't be resolved; the message names the argument.
    """
    try:
        parameters = inspect.signature(make).parameters.values()
    except ValueError:  # some built-in types have no signature
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
    """Returns the full name of a type, which identifies the type without importing it."""
    origin = get_origin(kind)
    if origin is not None:
        return f"{key_of(origin)}[{', '.join(map(key_of, get_args(kind)))}]"
    if hasattr(kind, "__qualname__"):
        return f"{kind.__module__}.{kind.__qualname__}"
    return repr(kind)


def name_of(kind: Any) -> str:
    """Returns the name of a type without its modules."""
    return re.sub(r"[\w.<>]+\.", "", key_of(kind))


def one_line(error: BaseException) -> str:
    """Returns the message of an error in one line, preceded by the error's type unless it is a PolyantError."""
    text = " ".join(str(error).split())
    return text if isinstance(error, PolyantError) else f"{type(error).__name__}{text and f': {text}'}"


def _types_of(parameter: inspect.Parameter, names: dict[str, Any], label: str) -> tuple[Any, ...]:
    if parameter.annotation is parameter.empty:
        return ()

    def holder() -> None: ...

    holder.__annotations__ = {parameter.name: parameter.annotation}
    try:
        kind = get_type_hints(holder, globalns=names)[parameter.name]
    except Exception as error:  # an annotation may be any expression
        raise WiringError(
            f"{label}: the annotation of its argument '{parameter.name}' can't be resolved: {one_line(error)}"
        ) from error
    return tuple(each for each in _members_of(kind) if each is not NoneType)


def _members_of(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)


def _globals_of(make: Any) -> dict[str, Any]:
    """Returns the global names that string annotations can refer to."""
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
