"""Options of adapters: what an instance may set for a chat model, a tool or the Supervisor."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from polyant.domain.errors import InvalidInputError, UnavailableError
from polyant.domain.instances import Instance, JsonObject

StructT = TypeVar("StructT", bound=msgspec.Struct)


class AdapterOptions:
    """Checks options against the struct that the adapter of their name declares.

    Args:
        declared: The struct of each adapter, by the adapter's name; None for an adapter without options.
    """

    def __init__(self, declared: Mapping[str, type[msgspec.Struct] | None]) -> None:
        self._declared = declared

    def check(self, options: Mapping[str, JsonObject]) -> None:
        """Returns if every entry belongs to an adapter that takes it.

        Raises:
            InvalidInputError: A name is no adapter's, an adapter has no options, or its struct refuses the value or
                has no such field; the message says which and where.
        """
        for name, value in options.items():
            self._check(name, value)

    def struct_of(self, name: str) -> type[msgspec.Struct]:
        """Returns the struct that the adapter of that name declares.

        Raises:
            InvalidInputError: The name is no adapter's, or the adapter has no options.
        """
        place = f"$.options.{name}"
        if name not in self._declared:
            with_options = ", ".join(sorted(known for known, kind in self._declared.items() if kind is not None))
            raise InvalidInputError(
                f"Unknown adapter '{name}': those with options are {with_options or 'none'} - at `{place}`"
            )
        kind = self._declared[name]
        if kind is None:
            raise InvalidInputError(f"The adapter '{name}' has no options - at `{place}`")
        return kind

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


def declared_options(adapter: object) -> type[msgspec.Struct] | None:
    """Returns the struct of an adapter's options, which is its attribute `options`; None if it has none.

    Raises:
        TypeError: The attribute is something else.
    """
    kind: Any = getattr(adapter, "options", None)
    if kind is not None and not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        raise TypeError("the attribute `options` must be a msgspec.Struct class or None")
    return kind


def options_of(instance: Instance, name: str, kind: type[StructT]) -> StructT:
    """Returns the instance's options for the adapter of that name; the struct's defaults where it has none.

    Raises:
        UnavailableError: What is stored does not fit the struct, for example after an upgrade of the adapter.
    """
    return decode_options(instance.options.get(name, {}), name, kind)


def decode_options(options: JsonObject, name: str, kind: type[StructT]) -> StructT:
    """Returns options as ModelRequest and ToolContext have them, decoded; `name` is the adapter's.

    Raises:
        UnavailableError: They do not fit the struct.
    """
    try:
        return msgspec.convert(options, kind)
    except msgspec.ValidationError as error:
        raise UnavailableError(
            "The instance is not configured correctly",
            hint=f"Its options for the adapter '{name}' do not fit ({error}): change or remove them",
        ) from None
