"""Dependency injection for handlers: one instance of each declared type, fetched when the server starts."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar, get_args

from litestar import Controller, Router
from litestar.di import Dependency, Provide
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ControllerRouterHandler

T = TypeVar("T")


class Instances(Protocol):
    """Provides one instance of each type."""

    async def get(self, kind: type[T]) -> T:
        """Returns the instance of a type; each call returns the same one."""


class Injection:
    """Provides the instances that handlers declare as `name: NamedDependency[Type]`; requests build no instances."""

    def __init__(self, route_handlers: Iterable[ControllerRouterHandler]) -> None:
        """Collects the dependencies that the handlers declare.

        Raises:
            TypeError: Two handlers declare different types under the same name.
        """
        self.kinds: dict[str, Any] = {}
        self._instances: dict[str, Any] = {}
        for name, kind in declared_by(route_handlers):
            if self.kinds.setdefault(name, kind) is not kind:
                raise TypeError(f"Handlers declare {name} as {self.kinds[name]} and as {kind}")

    @property
    def dependencies(self) -> dict[str, Provide]:
        """The Litestar providers, by dependency name."""
        return {name: self._provider(name) for name in self.kinds}

    async def fill(self, own: Mapping[Any, Any], instances: Instances) -> None:
        """Fetches the instances that the handlers declare.

        Args:
            own: The instances of the HTTP layer, by type.
            instances: Provides all other instances.
        """
        for name, kind in self.kinds.items():
            self._instances[name] = own[kind] if kind in own else await instances.get(kind)

    def _provider(self, name: str) -> Provide:
        def provide() -> Any:
            return self._instances[name]

        return _InstanceProvider(provide, sync_to_thread=False)


class _InstanceProvider(Provide):
    """A provider that equals only itself.

    For each handler, Litestar compares all providers with each other. Comparing their fields took a fifth of the
    start of a server.
    """

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def declared_by(route_handlers: Iterable[ControllerRouterHandler]) -> Iterator[tuple[str, Any]]:
    """Yields the name and type of each declared dependency, except those that the handlers' router provides."""
    for item in route_handlers:
        if isinstance(item, Router):
            inner = declared_by(handler for route in item.routes for handler in _handlers_of(route))
            yield from (declared for declared in inner if declared[0] not in item.dependencies)
        elif isinstance(item, type) and issubclass(item, Controller):
            yield from declared_by(member for member in vars(item).values() if isinstance(member, BaseRouteHandler))
        elif isinstance(item, BaseRouteHandler):
            yield from _dependencies_of(item)


def _handlers_of(route: Any) -> Iterable[BaseRouteHandler]:
    return getattr(route, "route_handlers", None) or (route.route_handler,)


def _dependencies_of(handler: BaseRouteHandler) -> Iterator[tuple[str, Any]]:
    for name, hint in inspect.get_annotations(handler.fn).items():  # our handlers have no string annotations
        if any(isinstance(note, Dependency) for note in getattr(hint, "__metadata__", ())):
            yield name, get_args(hint)[0]
