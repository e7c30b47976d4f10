"""Finds, checks and builds adapters by entry point; our own and other people's alike."""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any, Generic, TypeVar

import msgspec

from polyant.arguments import Argument, WiringError, arguments_of, one_line
from polyant.container import LazyType, Recipe
from polyant.domain.errors import UnavailableError

PortT = TypeVar("PortT")

_PREFIX = "polyant."


class AdapterError(WiringError):
    """An adapter can't be used: missing, offered twice, broken or of the wrong shape; the message says which."""


class Group(Generic[PortT]):
    """The adapters of one port, found in the entry-point group `polyant.<port>`."""

    def __init__(
        self, name: str, port: type[PortT], *, fault_of: Callable[[PortT, str], str | None] = lambda *_: None
    ) -> None:
        """Names the group.

        Args:
            name: The group without its prefix.
            port: The protocol that its adapters implement.
            fault_of: Returns what is wrong with an adapter that has all members, given the name it was found by.
        """
        self.name = name
        self.port = port
        self.fault_of = fault_of


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter that an installed package offers."""

    group: str
    name: str
    package: str
    version: str
    target: str


def offers(groups: Iterable[str]) -> list[Offer]:
    """Returns every installed adapter of those groups, ordered by group and name; imports none of them."""
    found = {
        Offer(group=group, name=point.name, package=_package(point), version=_version(point), target=point.value)
        for group in groups
        for point in _points(group)
    }
    return sorted(found, key=lambda offer: (offer.group, offer.name, offer.package))


def load(group: Group[Any], name: str) -> Callable[..., Any]:
    """Imports the adapter of that name and returns what builds it.

    Raises:
        AdapterError: Nobody offers it, several do, or it can't be imported.
    """
    points = {(_package(point), point.value): point for point in _points(group.name).select(name=name)}
    if not points:
        known = sorted({point.name for point in _points(group.name)})
        raise AdapterError(f"No installed package offers the {group.name} adapter '{name}'; there are: {known}")
    if len(points) > 1:
        raise AdapterError(f"The {group.name} adapter '{name}' is offered more than once: {sorted(points)}")
    point = next(iter(points.values()))
    try:
        built_by = point.load()
    except Exception as error:
        raise AdapterError(
            f"The {group.name} adapter '{name}' of {_package(point)} can't be imported: {one_line(error)}"
        ) from error
    if not callable(built_by):
        raise AdapterError(f"The {group.name} adapter '{name}' ({point.value}) isn't callable")
    return built_by  # type: ignore[no-any-return]


class AdapterRecipe(Recipe, Generic[PortT]):
    """Builds the adapter that an entry point names; every fault of it becomes an AdapterError of one line."""

    def __init__(self, group: Group[PortT], name: str) -> None:
        self.label = f"The {group.name} adapter '{name}'"
        self._group = group
        self._name = name

    def arguments(self) -> tuple[Argument, ...]:
        """Imports the adapter and returns what it asks for.

        Raises:
            AdapterError: It can't be imported, or is an asynchronous function.
            WiringError: An annotation can't be resolved.
        """
        self._make = load(self._group, self._name)
        package = str(getattr(self._make, "__module__", "")).partition(".")[0]
        self.package = package if package not in {"", "polyant"} else None  # what ours share is registered
        if inspect.iscoroutinefunction(self._make):
            raise self._asynchronous()
        return arguments_of(self._make, self.label)

    async def build(self, *arguments: Any, **named: Any) -> PortT:
        """Returns the adapter.

        Raises:
            AdapterError: It isn't of the port's shape.
        """
        adapter = self._make(*arguments, **named)
        if inspect.iscoroutine(adapter):
            adapter.close()
            raise self._asynchronous()
        if not isinstance(adapter, self._group.port):
            missing = ", ".join(_missing(adapter, self._group.port))
            raise AdapterError(f"{self.label} is missing {missing}, which {self._group.port.__name__} asks for")
        fault = self._group.fault_of(adapter, self._name)
        if fault is not None:
            raise AdapterError(f"{self.label} {fault}")
        return adapter

    def explained(self, error: Exception) -> Exception:
        """Returns the error itself if it says what the operator has to do, else one that names the adapter."""
        if isinstance(error, (WiringError, UnavailableError)):
            return error
        return AdapterError(f"{self.label} can't be built: {one_line(error)}")

    def _asynchronous(self) -> AdapterError:
        return AdapterError(
            f"{self.label} is an asynchronous function; let a class or function return the adapter, "
            "and open what it needs in __aenter__"
        )


class AdaptersRecipe(Recipe):
    """Builds several adapters of one port, by their names."""

    def __init__(self, group: Group[Any], names: Iterable[str]) -> None:
        self.label = f"The {group.name} adapters"
        self._arguments = tuple(Argument(name, (adapter_type(group, name),), required=True) for name in names)

    def arguments(self) -> tuple[Argument, ...]:
        """Returns one argument for each adapter."""
        return self._arguments

    async def build(self, **adapters: Any) -> Mapping[str, Any]:
        """Returns the adapters by name."""
        return adapters


def adapter_type(group: Group[PortT], name: str) -> LazyType[PortT]:
    """Returns what stands in a container for the adapter of that name, whichever is chosen for the port."""
    return LazyType(_PREFIX + group.name, name)


def _missing(adapter: object, port: type) -> list[str]:
    members = {*vars(port), *port.__annotations__}
    return sorted(name for name in members if not name.startswith("_") and getattr(adapter, name, None) is None)


def _points(group: str) -> EntryPoints:
    found: EntryPoints = _installed(tuple(sys.path)).select(group=_PREFIX + group)
    return found


@cache
def _installed(_: tuple[str, ...]) -> Any:  # its type depends on the version of Python
    """Returns the entry points of all packages on the path, which a start would otherwise read 36 times."""
    return entry_points()


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "?"


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist is not None else "?"
