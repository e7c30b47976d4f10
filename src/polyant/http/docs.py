"""GET /api/openapi.json and GET /docs: the API description for programs and for people."""

from functools import cache
from importlib.resources import files

from litestar import Controller, Response, get
from litestar.di import NamedDependency

from polyant.http.openapi import ApiDescription

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}

_DAY = "public, max-age=86400"


class DocsController(Controller):
    """The OpenAPI document and the page that shows it."""

    path = "/"
    include_in_schema = False

    @get("/api/openapi.json", sync_to_thread=True)
    def document(self, api_description: NamedDependency[ApiDescription]) -> Response[bytes]:
        """Returns the OpenAPI 3.1 document."""
        return Response(api_description.json, media_type="application/json")

    @get("/docs", sync_to_thread=True)
    def page(self, api_description: NamedDependency[ApiDescription]) -> Response[bytes]:
        """Returns the document as an HTML page without scripts and without resources from other servers."""
        return Response(api_description.page, media_type="text/html", headers=PAGE_HEADERS)

    @get("/docs/style.css", sync_to_thread=False)
    def style(self) -> Response[bytes]:
        """Returns the style sheet of the page."""
        return Response(_style_sheet(), media_type="text/css", headers={"Cache-Control": _DAY})


@cache
def _style_sheet() -> bytes:
    return files("polyant.http").joinpath("docs.css").read_bytes()
