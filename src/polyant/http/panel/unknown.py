"""Unknown paths and wrong methods beside the APIs: a page for browsers, JSON for programs."""

import http
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from polyant.http.errors import handle_http_exception
from polyant.http.panel.errors import error_page
from polyant.http.panel.gate import PAGE_HEADERS

_APIS = ("/v1", "/api", "/health", "/metrics", "/docs")
_UNKNOWN = frozenset({http.HTTPStatus.NOT_FOUND, http.HTTPStatus.METHOD_NOT_ALLOWED})


def handle_unknown(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Returns the response for Litestar's own errors outside the panel's routes.

    Unknown paths that belong to no API are never cached, because a page may be there later.
    """
    path = request.scope["path"]
    of_api = any(path == api or path.startswith(f"{api}/") for api in _APIS)
    if of_api or error.status_code not in _UNKNOWN:
        return handle_http_exception(request, error)
    if "text/html" not in request.headers.get("accept", "").lower():
        response = handle_http_exception(request, error)
        response.headers["Cache-Control"] = "no-store"
        return response
    shown = error_page(request, error)
    shown.headers.update({name.decode(): value.decode() for name, value in PAGE_HEADERS})
    return shown
