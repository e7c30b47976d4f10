"""Settings of adapters: a struct whose fields are read from environment variables."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from polyant.arguments import WiringError
from polyant.domain.secrets import SecretText

StructT = TypeVar("StructT", bound=msgspec.Struct)

_INVALID = re.compile(r"[^A-Z0-9]+")
_COLLECTIONS = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)


class AdapterSetting(msgspec.Struct, frozen=True, kw_only=True):
    """One environment variable of an adapter."""

    variable: str
    description: str
    allowed: str
    """The allowed values, in words that fit after "must be"."""
    default: str | None
    """The default as text; None if the variable is required."""


def settings_struct_of(adapter: object) -> type[msgspec.Struct] | None:
    """Returns the struct in an adapter's attribute `settings`, or None if it has no settings.

    Raises:
        WiringError: The attribute is neither a msgspec.Struct class nor None.
    """
    kind: Any = getattr(adapter, "settings", None)
    if kind is not None and not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        raise WiringError("the attribute `settings` must be a msgspec.Struct class or None")
    return kind


def describe_settings(name: str, kind: type[msgspec.Struct]) -> tuple[AdapterSetting, ...]:
    """Returns the environment variables of an adapter.

    Args:
        name: The name of the adapter's entry point.
        kind: The adapter's settings struct.
    """
    types: Any = inspect.type_info(kind)
    return tuple(
        AdapterSetting(
            variable=_variable_of(name, field.name),
            description=_description_of(found.type),
            allowed=_allowed(found.type),
            default=None if field.required else _shown(field),
        )
        for field, found in zip(msgspec.structs.fields(kind), types.fields, strict=True)
    )


def read_adapter_settings(name: str, kind: type[StructT], environ: Mapping[str, str]) -> StructT:
    """Returns the settings of an adapter; an empty variable counts as unset.

    Args:
        name: The name of the adapter's entry point.
        kind: The adapter's settings struct.
        environ: The environment.

    Raises:
        WiringError: Variables are missing or invalid; the message names each with its allowed values, in one line, and
            contains no value.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field, setting in zip(msgspec.structs.fields(kind), describe_settings(name, kind), strict=True):
        text = environ.get(setting.variable, "").strip()
        try:
            if text:
                values[field.name] = _decode(text, field.type)
            elif field.required:
                faults.append(f"{setting.variable} must be set to {setting.allowed}")
        except (msgspec.ValidationError, ValueError):
            faults.append(f"{setting.variable} must be {setting.allowed}")
    if faults:
        raise WiringError("; ".join(faults))
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:  # the struct's own __post_init__
        raise WiringError(f"{_variable_of(name, '…')}: {error}") from None


def variable_prefix(name: str) -> str:
    """Returns the beginning of the variables of an adapter with that name."""
    return f"POLYANT_{_INVALID.sub('_', name.upper())}_"


def _variable_of(name: str, field: str) -> str:
    return f"{variable_prefix(name)}{field.upper()}"


def _decode(text: str, kind: Any) -> Any:
    info = _bare(inspect.type_info(kind))
    if isinstance(info, _COLLECTIONS):
        return msgspec.convert([word for word in re.split(r"[\s,]+", text) if word], kind, strict=False)
    if isinstance(info, inspect.BoolType):
        text = {"on": "true", "yes": "true", "off": "false", "no": "false"}.get(text.lower(), text)
    return msgspec.convert(text, kind, strict=False, dec_hook=_convert)


def _convert(kind: type, text: Any) -> Any:
    """Returns a text as a type that msgspec doesn't know."""
    if kind in {SecretText, Path}:
        return kind(text)
    raise NotImplementedError


def _bare(info: inspect.Type) -> inspect.Type:
    """Returns a type without its metadata and without None."""
    while isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.UnionType):
        others = [_bare(each) for each in info.types if not isinstance(each, inspect.NoneType)]
        return others[0] if len(others) == 1 else info
    return info


def _description_of(info: inspect.Type) -> str:
    schema = info.extra_json_schema if isinstance(info, inspect.Metadata) else None
    return str((schema or {}).get("description", ""))


def _allowed(info: inspect.Type) -> str:
    """Returns the allowed values of a type in words."""
    bare = _bare(info)
    words = _WORDS.get(type(bare))
    return words(bare) if words else f"a value of type {type(bare).__name__.removesuffix('Type').lower()}"


def _text_words(info: inspect.StrType) -> str:
    if info.pattern:
        return f"a text that matches {info.pattern}"
    bounds = [f"at least {info.min_length}"] if info.min_length else []
    bounds += [f"at most {info.max_length}"] if info.max_length else []
    return f"a text of {' and '.join(bounds)} characters" if bounds else "a text"


def _range(number: inspect.IntType | inspect.FloatType) -> str:
    bounds = {"of at least": number.ge, "above": number.gt, "of at most": number.le, "below": number.lt}
    words = [f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None]
    return f" {' and '.join(words)}" if words else ""


def _alternatives(values: Iterable[str]) -> str:
    *others, last = values
    return f"{', '.join(others)} or {last}" if others else last


def _shown(field: msgspec.structs.FieldInfo) -> str:
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    match value:
        case None | SecretText():
            return "none"
        case bool():
            return str(value).lower()
        case list() | tuple() | set() | frozenset():
            return ", ".join(map(str, value)) or "none"
        case _:
            return str(value)


_WORDS: Mapping[type, Callable[[Any], str]] = {
    inspect.BoolType: lambda _: "true or false",
    inspect.IntType: lambda info: f"a whole number{_range(info)}",
    inspect.FloatType: lambda info: f"a number{_range(info)}",
    inspect.StrType: _text_words,
    inspect.LiteralType: lambda info: _alternatives(map(str, info.values)),
    inspect.EnumType: lambda info: _alternatives(str(member.value) for member in info.cls),
    **dict.fromkeys(_COLLECTIONS, lambda _: "values separated by commas"),
    inspect.CustomType: lambda info: {SecretText: "a secret", Path: "a path"}.get(info.cls, f"a {info.cls.__name__}"),
}
