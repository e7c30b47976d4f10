"""Adapter options: an instance's settings for a chat model, a tool or the Supervisor."""

import re
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from polyant.domain.errors import InvalidInputError, UnavailableError
from polyant.domain.instances import Instance, JsonObject
from polyant.domain.tools import object_schema

StructT = TypeVar("StructT", bound=msgspec.Struct)


class AdapterOptions:
    """Validates options against the structs that the adapters declare.

    Args:
        declared: The options struct of each adapter, by adapter name; None for an adapter without options.
    """

    def __init__(self, declared: Mapping[str, type[msgspec.Struct] | None]) -> None:
        self._declared = declared

    def check(self, options: Mapping[str, JsonObject]) -> None:
        """Checks that every entry is valid for the adapter that it names.

        Raises:
            InvalidInputError: An adapter is unknown or has no options, or a value is invalid or an unknown field. The
                message contains the name and the JSON path.
        """
        for name, value in options.items():
            self._check(name, value)

    def struct_of(self, name: str) -> type[msgspec.Struct]:
        """Returns the options struct that an adapter declares.

        Raises:
            InvalidInputError: The adapter is unknown or has no options.
        """
        place = f"$.options.{name}"
        if name not in self._declared:
            with_options = ", ".join(sorted(known for known, kind in self._declared.items() if kind is not None))
            raise InvalidInputError(
                f"Unknown adapter '{name}'; adapters with options: {with_options or 'none'} - at `{place}`"
            )
        kind = self._declared[name]
        if kind is None:
            raise InvalidInputError(f"The adapter '{name}' has no options - at `{place}`")
        return kind

    def faults(self, name: str, value: JsonObject) -> Mapping[str, str]:
        """Returns the problem of each field of an adapter's options, by the field's name; empty if all are valid.

        The key is empty for a problem of the whole object.

        Raises:
            InvalidInputError: The adapter is unknown or has no options.
        """
        kind = self.struct_of(name)
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        faults = {unknown: "Unknown field" for unknown in value if unknown not in fields}
        for key, field in fields.items():
            problem = _problem(value[key], field.type) if key in value else "Missing" if field.required else None
            if problem is not None:
                faults[key] = problem
        whole = None if faults else _problem(value, kind)
        return faults if whole is None else {_field_in(whole, fields): whole}

    def used_by(self, instance: Instance, *, providers: Collection[str], tools: Collection[str]) -> list[str]:
        """Returns the adapters with options that an instance uses: its provider, the Supervisor, its tools.

        Args:
            instance: The instance.
            providers: The names of the enabled providers.
            tools: The names of the installed tools.
        """
        declared = [name for name, kind in self._declared.items() if kind is not None]
        supervisors = [name for name in declared if name not in {*providers, *tools}]
        used = (instance.provider, *supervisors, *instance.tools)
        return list(dict.fromkeys(name for name in used if name in declared))

    def refusal(self, name: str, value: JsonObject) -> str | None:
        """Returns why an adapter refuses stored options in a turn, or None if it doesn't.

        Unlike `check`, it allows unknown fields, such as those of an earlier version, if the adapter does.
        """
        kind = self._declared.get(name)
        return None if kind is None else _problem(value, kind)

    @property
    def schemas(self) -> Mapping[str, JsonObject]:
        """The JSON schema of each adapter's options, by adapter name."""
        return self._schemas

    @cached_property
    def _schemas(self) -> Mapping[str, JsonObject]:  # msgspec takes 0.15 ms for each
        return {name: object_schema(kind) for name, kind in self._declared.items() if kind is not None}

    def _check(self, name: str, value: JsonObject) -> None:
        kind, place = self.struct_of(name), f"$.options.{name}"
        unknown = next(iter(value.keys() - {field.encode_name for field in msgspec.structs.fields(kind)}), None)
        if unknown is not None:
            raise InvalidInputError(f"Object contains unknown field `{unknown}` - at `{place}`")
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            fault, _, path = str(error).partition(" - at `$")
            raise InvalidInputError(f"{fault} - at `{place}{path or '`'}") from None


def _problem(value: object, kind: Any) -> str | None:
    """Returns why a value doesn't match a type, or None if it does."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def _field_in(problem: str, fields: Collection[str]) -> str:
    """Returns the field that a struct's own validation names, in the path or as the first word; else an empty text."""
    _, _, path = problem.partition(" - at `$.")
    named = (re.split(r"[.\[`]", path)[0], problem.split(" ", 1)[0].strip("`"))
    return next((name for name in named if name in fields), "")


def declared_options(adapter: object) -> type[msgspec.Struct] | None:
    """Returns the struct in an adapter's attribute `options`, or None if the adapter has no options.

    Raises:
        TypeError: The attribute is neither a msgspec.Struct class nor None.
    """
    kind: Any = getattr(adapter, "options", None)
    if kind is not None and not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        raise TypeError("the attribute `options` must be a msgspec.Struct class or None")
    return kind


def options_of(instance: Instance, name: str, kind: type[StructT]) -> StructT:
    """Returns the instance's options for an adapter, with the struct's defaults for unset fields.

    Raises:
        UnavailableError: The stored options are invalid, for example after an upgrade of the adapter.
    """
    return decode_options(instance.options.get(name, {}), name, kind)


def decode_options(options: JsonObject, name: str, kind: type[StructT]) -> StructT:
    """Returns the raw options of a ModelRequest or ToolContext decoded as the adapter's struct.

    Args:
        options: The raw options.
        name: The adapter's name, for the error.
        kind: The adapter's options struct.

    Raises:
        UnavailableError: The options don't match the struct.
    """
    try:
        return msgspec.convert(options, kind)
    except msgspec.ValidationError as error:
        raise UnavailableError(
            "The instance is not configured correctly",
            hint=f"Its options for the adapter '{name}' are invalid ({error}): change or remove them",
        ) from None
