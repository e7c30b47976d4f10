"""/instances/{slug}/playground: chat with an instance; the conversation is in the page only."""

from typing import Any

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.http.panel.instance_frame import instance_in, instance_page
from polyant.http.panel.pages import PanelRequest


class PlaygroundPageController(Controller):
    """The playground of one instance, which calls the route of the management API."""

    path = "/instances/{slug:str}/playground"
    include_in_schema = False

    @get()
    async def show(
        self, *, request: PanelRequest, slug: FromPath[str], show_instance: NamedDependency[ShowInstance]
    ) -> Response[Any]:
        """Returns the page."""
        return instance_page(request, "playground.html", await instance_in(slug, show_instance))
