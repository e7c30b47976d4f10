"""Finds, checks and builds adapters by entry point, both built-in and third-party ones."""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any, Generic, TypeVar

import msgspec

from polyant.adapter_settings import read_adapter_settings, settings_struct_of
from polyant.arguments import Argument, WiringError, arguments_of, one_line
from polyant.container import LazyType, Recipe
from polyant.domain.errors import UnavailableError

PortT = TypeVar("PortT")

_PREFIX = "polyant."


class AdapterError(WiringError):
    """An adapter can't be used: it is missing, ambiguous, broken or doesn't implement its port."""


class Group(Generic[PortT]):
    """The adapters of one port, registered in the entry-point group `polyant.<port>`."""

    def __init__(
        self,
        name: str,
        port: type[PortT],
        *,
        setting: str | None = None,
        fault_of: Callable[[PortT, str], str | None] = lambda *_: None,
    ) -> None:
        """Creates a group.

        Args:
            name: The name of the entry-point group without its prefix.
            port: The protocol that the adapters implement.
            setting: The setting that chooses the adapter; by default, the one with the group's name.
            fault_of: Returns the fault of an adapter that has all members of the port, or None; its second argument
                is the name of the entry point.
        """
        self.name = name
        self.port = port
        self.setting = setting or name
        self.fault_of = fault_of


class InstalledAdapter(msgspec.Struct, frozen=True, kw_only=True):
    """An entry point of an installed package."""

    group: str
    name: str
    package: str
    version: str
    target: str


def installed_adapters(groups: Iterable[str]) -> list[InstalledAdapter]:
    """Returns the installed adapters of the groups, ordered by group and name, without importing them."""
    found = {
        InstalledAdapter(
            group=group, name=point.name, package=_package(point), version=_version(point), target=point.value
        )
        for group in groups
        for point in _points(group)
    }
    return sorted(found, key=lambda adapter: (adapter.group, adapter.name, adapter.package))


def load(group: Group[Any], name: str) -> Callable[..., Any]:
    """Imports an adapter and returns the class or function that builds it.

    Raises:
        AdapterError: No package or more than one provides the adapter, or it can't be imported.
    """
    point = _point_of(group, name)
    try:
        built_by = point.load()
    except Exception as error:
        raise AdapterError(
            f"The {group.name} adapter '{name}' of {_package(point)} can't be imported: {one_line(error)}"
        ) from error
    if not callable(built_by):
        raise AdapterError(f"The {group.name} adapter '{name}' ({point.value}) isn't callable")
    return built_by  # type: ignore[no-any-return]


def require_installed(group: Group[Any], names: Iterable[str]) -> None:
    """Returns if each name is that of exactly one installed adapter of the group; imports none of them.

    Raises:
        AdapterError: No package or more than one provides the adapter.
    """
    for name in names:
        _point_of(group, name)


class AdapterRecipe(Recipe, Generic[PortT]):
    """Builds the adapter of an entry point; its faults are raised as AdapterErrors with one-line messages."""

    def __init__(self, group: Group[PortT], name: str, environ: Mapping[str, str]) -> None:
        """Creates a recipe.

        Args:
            group: The adapters of a port.
            name: The name of the adapter's entry point.
            environ: The environment, for the settings that the adapter declares.
        """
        self.label = f"The {group.name} adapter '{name}'"
        self._group = group
        self._name = name
        self._environ = environ

    def arguments(self) -> tuple[Argument, ...]:
        """Imports the adapter and returns its arguments.

        Raises:
            AdapterError: The adapter can't be imported or is an asynchronous function, or its settings are invalid.
            WiringError: An annotation can't be resolved.
        """
        self._make = load(self._group, self._name)
        package = str(getattr(self._make, "__module__", "")).partition(".")[0]
        self.package = (
            package if package not in {"", "polyant"} else None
        )  # built-in adapters share only registered types
        if inspect.iscoroutinefunction(self._make):
            raise self._asynchronous()
        self._read_settings()
        return arguments_of(self._make, self.label)

    def _read_settings(self) -> None:
        """Reads the settings that the adapter declares, so that its package can have them injected."""
        try:
            kind = settings_struct_of(self._make)
            self.values = {} if kind is None else {kind: read_adapter_settings(self._name, kind, self._environ)}
        except WiringError as error:
            raise AdapterError(f"{self.label} can't be used: {error}") from None

    async def build(self, *arguments: Any, **named: Any) -> PortT:
        """Returns the adapter.

        Raises:
            AdapterError: The adapter doesn't implement the port.
        """
        adapter = self._make(*arguments, **named)
        if inspect.iscoroutine(adapter):
            adapter.close()
            raise self._asynchronous()
        missing = _missing(adapter, self._group.port)
        if missing or not isinstance(adapter, self._group.port):  # a subclass may lack attributes
            names = ", ".join(missing)
            raise AdapterError(f"{self.label} is missing {names}, which {self._group.port.__name__} requires")
        fault = self._group.fault_of(adapter, self._name)
        if fault is not None:
            raise AdapterError(f"{self.label} {fault}")
        return adapter

    def translate_error(self, error: Exception) -> Exception:
        """Returns the error itself if its message tells the operator what to do, else one that names the adapter."""
        if isinstance(error, (WiringError, UnavailableError)):
            return error
        return AdapterError(f"{self.label} can't be built: {one_line(error)}")

    def _asynchronous(self) -> AdapterError:
        return AdapterError(
            f"{self.label} is an asynchronous function; use a class or a function that returns the adapter, "
            "and open its resources in __aenter__"
        )


class AdaptersRecipe(Recipe):
    """Builds a mapping from names to adapters of one port."""

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
    """Returns the type under which a container registers the adapter with that name."""
    return LazyType(_PREFIX + group.name, name)


def _missing(adapter: object, port: type) -> list[str]:
    members = {*vars(port), *port.__annotations__}
    return sorted(name for name in members if not name.startswith("_") and getattr(adapter, name, None) is None)


def _point_of(group: Group[Any], name: str) -> EntryPoint:
    points = list(_points(group.name).select(name=name))
    if not points:
        known = sorted({point.name for point in _points(group.name)})
        raise AdapterError(f"No installed package provides the {group.name} adapter '{name}'; installed are: {known}")
    if len(points) > 1:  # reading the package of a single one takes longer than finding it
        origins = {(_package(point), point.value) for point in points}
        if len(origins) > 1:
            raise AdapterError(f"The {group.name} adapter '{name}' is provided more than once: {sorted(origins)}")
    return points[0]


def _points(group: str) -> EntryPoints:
    return _points_on(tuple(sys.path), _PREFIX + group)


@cache
def _points_on(path: tuple[str, ...], group: str) -> EntryPoints:
    """Returns the entry points of one group on the path; a start asks 100 times."""
    found: EntryPoints = _installed(path).select(group=group)
    return found


@cache
def _installed(_: tuple[str, ...]) -> Any:  # the type depends on the Python version
    """Returns the entry points of all packages on the path; without the cache, a start would read them 36 times."""
    return entry_points()


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "?"


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist is not None else "?"
