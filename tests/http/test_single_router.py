from litestar import Litestar, get
from litestar.routes import HTTPRoute

from polyant.http.single_router import SingleRouter


@get("/", sync_to_thread=False)
def show() -> None: ...


def test_router_is_registered_without_a_copy() -> None:
    router = SingleRouter(path="/", route_handlers=[show])
    app = Litestar(route_handlers=[router], openapi_config=None)
    [own], [registered] = ([route for route in each.routes if isinstance(route, HTTPRoute)] for each in (router, app))
    assert registered.route_handlers[0] is own.route_handlers[0]
