"""Finds, checks and builds adapters by entry point; our own and other people's alike."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

import msgspec

PortT = TypeVar("PortT")

_PREFIX = "polyant."


class AdapterError(Exception):
    """An adapter can't be used: missing, offered twice, broken or of the wrong shape; the message says which."""


class Group(Generic[PortT]):
    """The adapters of one port, found in the entry-point group `polyant.<port>`."""

    def __init__(self, name: str, port: type[PortT]) -> None:
        self.name = name
        self.port = port


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
        for point in entry_points(group=_PREFIX + group)
    }
    return sorted(found, key=lambda offer: (offer.group, offer.name, offer.package))


def load(group: Group[Any], name: str) -> Callable[..., Any]:
    """Imports the adapter of that name and returns what builds it.

    Raises:
        AdapterError: Nobody offers it, several do, or it can't be imported.
    """
    points = {(_package(point), point.value): point for point in entry_points(group=_PREFIX + group.name, name=name)}
    if not points:
        known = sorted({point.name for point in entry_points(group=_PREFIX + group.name)})
        raise AdapterError(f"No installed package offers the {group.name} adapter '{name}'; there are: {known}")
    if len(points) > 1:
        raise AdapterError(f"The {group.name} adapter '{name}' is offered more than once: {sorted(points)}")
    point = next(iter(points.values()))
    try:
        built_by = point.load()
    except Exception as error:
        raise AdapterError(
            f"The {group.name} adapter '{name}' of {_package(point)} can't be imported: {error!r}"
        ) from error
    if not callable(built_by):
        raise AdapterError(f"The {group.name} adapter '{name}' ({point.value}) isn't callable")
    return built_by  # type: ignore[no-any-return]


async def build(group: Group[PortT], name: str, parts: Mapping[str, Callable[[], Awaitable[object]]]) -> PortT:
    """Builds the adapter, giving it the parts that its parameters name.

    Raises:
        AdapterError: It asks for something that isn't on offer, or what it builds isn't of the port's shape.
    """
    built_by = load(group, name)
    wanted: dict[str, object] = {}
    for parameter in _parameters(built_by):
        if parameter.name in parts:
            wanted[parameter.name] = await parts[parameter.name]()
        elif parameter.default is parameter.empty and parameter.kind not in {
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        }:
            raise AdapterError(
                f"The {group.name} adapter '{name}' asks for '{parameter.name}'; on offer are: {sorted(parts)}"
            )
    adapter = built_by(**wanted)
    if not isinstance(adapter, group.port):
        raise AdapterError(f"The {group.name} adapter '{name}' lacks {_lacking(adapter, group.port)}")
    return adapter


def _parameters(built_by: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    try:
        return inspect.signature(built_by).parameters.values()
    except ValueError:  # some of Python's own types don't tell
        return ()


def _lacking(adapter: object, port: type) -> list[str]:
    members = {*vars(port), *port.__annotations__}
    return sorted(name for name in members if not name.startswith("_") and not hasattr(adapter, name))


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "?"


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist is not None else "?"
