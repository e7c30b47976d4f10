"""Litestar injects by name: each name, and what it brings, is held against the type that the handler declares."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

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
    """Yields each handler's dependencies that are fetched at the start: their names, declared types and providers."""
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            providers = handler.resolve_dependencies()
            for name, field in handler.parsed_fn_signature.parameters.items():
                provider = providers.get(name)
                if provider is None or provider.parsed_fn_signature.parameters:  # made of the request, as `paging` is
                    continue
                yield handler, name, field.annotation, provider


async def faults_of(app: Litestar) -> AsyncIterator[str]:
    """Yields what is wrong with those dependencies."""
    for handler, name, kind, provider in injected_into(app):
        if name != name_for(kind):
            yield f"{handler}: {name} is not the name of a {kind.__name__}"
        given = await provider()
        if not isinstance(given, kind):
            yield f"{handler}: {name} is given a {type(given).__name__}"


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
    """Gives an instance of whatever it is asked for."""

    async def get(self, kind: type[Any]) -> Any:
        return object.__new__(kind)


async def faults(app: Litestar) -> list[str]:
    return [fault async for fault in faults_of(app)]


async def test_every_dependency_of_a_handler_is_named_after_its_type_and_given_an_instance_of_it() -> None:
    async with serving() as app:
        assert await faults(litestar_of(app)) == []
        assert len(list(injected_into(litestar_of(app)))) > 40


def litestar_of(app: App) -> Litestar:
    found = app.asgi._app  # type: ignore[attr-defined]
    assert isinstance(found, Litestar)
    return found


async def test_name_of_another_type_is_found() -> None:
    injection = Injection([Misnamed])
    await injection.fill({}, Given())
    (fault,) = await faults(app_of(Misnamed, dependencies=injection.dependencies))
    assert fault.endswith("create_user is not the name of a DeleteUser")


async def test_instance_of_another_type_is_found() -> None:
    injection = Injection([Named])
    await injection.fill({CreateUser: object()}, Given())
    (fault,) = await faults(app_of(Named, dependencies=injection.dependencies))
    assert fault.endswith("create_user is given a object")


@pytest.mark.parametrize("controllers", [(Named, Misnamed), (Misnamed, Named)])
def test_one_name_for_two_types_is_refused(controllers: Iterable[type[Controller]]) -> None:
    with pytest.raises(TypeError, match=r"Handlers declare create_user as .* and as "):
        Injection(controllers)
