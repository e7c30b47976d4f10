"""What handlers are given: one instance of each type that they declare, fetched when the server starts."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar, get_args

from litestar import Controller, Router
from litestar.di import Dependency, Provide
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ControllerRouterHandler

T = TypeVar("T")


class Instances(Protocol):
    """Gives one instance of a type."""

    async def get(self, kind: type[T]) -> T:
        """Returns the instance of that type, the same one each time."""


class Injection:
    """Provides the instances that the handlers declare as `name: NamedDependency[Type]`; a request builds nothing."""

    def __init__(self, route_handlers: Iterable[ControllerRouterHandler]) -> None:
        """Finds what the handlers declare.

        Raises:
            TypeError: Two handlers declare different types under one name.
        """
        self.kinds: dict[str, Any] = {}
        self._instances: dict[str, Any] = {}
        for name, kind in declared_by(route_handlers):
            if self.kinds.setdefault(name, kind) is not kind:
                raise TypeError(f"Handlers declare {name} as {self.kinds[name]} and as {kind}")

    @property
    def dependencies(self) -> dict[str, Provide]:
        """The providers, for Litestar."""
        return {name: self._provider(name) for name in self.kinds}

    async def fill(self, own: Mapping[Any, Any], instances: Instances) -> None:
        """Fetches what the handlers declare.

        Args:
            own: Instances of the HTTP layer, by their types.
            instances: Gives the other ones.
        """
        for name, kind in self.kinds.items():
            self._instances[name] = own[kind] if kind in own else await instances.get(kind)

    def _provider(self, name: str) -> Provide:
        def provide() -> Any:
            return self._instances[name]

        return Provide(provide, sync_to_thread=False)


def declared_by(route_handlers: Iterable[ControllerRouterHandler]) -> Iterator[tuple[str, Any]]:
    """Yields the name and type of each dependency that handlers declare, but those their router provides itself."""
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
    for name, hint in inspect.get_annotations(handler.fn).items():  # none of ours is a string
        if any(isinstance(note, Dependency) for note in getattr(hint, "__metadata__", ())):
            yield name, get_args(hint)[0]
