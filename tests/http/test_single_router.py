from litestar import Litestar, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from polyant.http.single_router import SingleRouter


@get("/", sync_to_thread=False)
def show() -> None: ...


def handler_of_get(router: Router) -> HTTPRouteHandler:
    """Returns the handler of GET; Litestar adds one of OPTIONS, in any order."""
    [route] = (each for each in router.routes if isinstance(each, HTTPRoute))
    [handler] = (each for each in route.route_handlers if "GET" in each.http_methods)
    return handler


def test_router_is_registered_without_a_copy() -> None:
    router = SingleRouter(path="/", route_handlers=[show])
    app = Litestar(route_handlers=[router], openapi_config=None)
    assert handler_of_get(app) is handler_of_get(router)
