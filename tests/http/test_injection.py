"""Litestar injects by name: checks each name and its value against the type that the handler declares."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, get_origin

import pytest
from litestar import Controller, Litestar, get
from litestar.di import NamedDependency, Provide
from litestar.handlers.base import BaseRouteHandler
from litestar.routes import HTTPRoute

from polyant.domain.use_cases.create_user import CreateUser
from polyant.domain.use_cases.delete_user import DeleteUser
from polyant.http.injection import Injection
from support.app import App, serving


def injected_into(app: Litestar) -> Iterator[tuple[BaseRouteHandler, str, Any, Provide]]:
    """Yields each handler's dependencies from the container: their names, declared types and providers."""
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            providers = handler.resolve_dependencies()
            for name, field in handler.parsed_fn_signature.parameters.items():
                provider = providers.get(name)
                # A provider with parameters reads the request, such as `paging`.
                if provider is None or provider.parsed_fn_signature.parameters:
                    continue
                yield handler, name, field.annotation, provider


async def errors_in(app: Litestar) -> AsyncIterator[str]:
    """Yields the errors of those dependencies."""
    for handler, name, kind, provider in injected_into(app):
        if name != name_for(kind):
            yield f"{handler}: {name} is not the name of a {kind.__name__}"
        given = await provider()
        plain = getattr(kind, "__supertype__", kind)  # a NewType is no class
        if not isinstance(given, get_origin(plain) or plain):
            yield f"{handler}: {name} receives a {type(given).__name__}"


def name_for(kind: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def app_of(*controllers: type[Controller], dependencies: dict[str, Provide]) -> Litestar:
    return Litestar(route_handlers=list(controllers), dependencies=dependencies, openapi_config=None)


class Misnamed(Controller):
    @get("/", sync_to_thread=False)
    def show(self, create_user: NamedDependency[DeleteUser]) -> None: ...


class Named(Controller):
    @get("/named", sync_to_thread=False)
    def show(self, create_user: NamedDependency[CreateUser]) -> None: ...


class Given:
    """A container that returns an instance of any requested type."""

    async def get(self, kind: type[Any]) -> Any:
        return object.__new__(kind)


async def errors(app: Litestar) -> list[str]:
    return [error async for error in errors_in(app)]


async def test_every_dependency_of_a_handler_has_the_name_and_an_instance_of_its_type() -> None:
    async with serving() as app:
        assert await errors(litestar_of(app)) == []
        assert len(list(injected_into(litestar_of(app)))) > 40


def litestar_of(app: App) -> Litestar:
    found = app.asgi._app  # type: ignore[attr-defined]
    assert isinstance(found, Litestar)
    return found


async def test_dependency_with_the_name_of_another_type_is_reported() -> None:
    injection = Injection([Misnamed])
    await injection.fill({}, Given())
    (error,) = await errors(app_of(Misnamed, dependencies=injection.dependencies))
    assert error.endswith("create_user is not the name of a DeleteUser")


async def test_dependency_with_an_instance_of_another_type_is_reported() -> None:
    injection = Injection([Named])
    await injection.fill({CreateUser: object()}, Given())
    (error,) = await errors(app_of(Named, dependencies=injection.dependencies))
    assert error.endswith("create_user receives a object")


@pytest.mark.parametrize("controllers", [(Named, Misnamed), (Misnamed, Named)])
def test_one_name_for_two_types_is_rejected(controllers: Iterable[type[Controller]]) -> None:
    with pytest.raises(TypeError, match=r"Handlers declare create_user as .* and as "):
        Injection(controllers)
