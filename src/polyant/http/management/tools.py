"""/api/instances/{slug}/tools: the tools of an instance."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from litestar import Controller, Response, get, patch
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from polyant.domain.catalog import Catalog
from polyant.domain.enabled_tools import enabled_tools
from polyant.domain.instances import Instance
from polyant.domain.ports.tool import Tool
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_instance import InstancePatch, UpdateInstance
from polyant.http.error_responses import read_errors, write_errors
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import MAX_ITEMS, Body, ResponseBody, slug_in

ToolName = Annotated[str, Meta(description="Name of a tool, see /api/tools", examples=["calculate"])]


class ToolStateOut(ResponseBody, frozen=True, kw_only=True):
    """A tool and its state for one instance."""

    name: str
    description: str
    enabled: Annotated[bool, Meta(description="Whether the instance may use the tool")]
    available: Annotated[bool, Meta(description="Whether the tool can run: it is installed, and no secret is missing")]
    missing_secrets: Annotated[tuple[str, ...], Meta(description="Names of the secrets to store before it can run")]


class ToolsResponse(ResponseBody, frozen=True, kw_only=True):
    """The installed tools, and enabled tools that are no longer installed."""

    tools: tuple[ToolStateOut, ...]


class PatchToolsBody(Body, frozen=True, kw_only=True):
    """The tools to enable."""

    enabled: Annotated[
        tuple[ToolName, ...], Meta(max_length=MAX_ITEMS, description="All tools to enable; others are disabled")
    ]


class ToolsController(Controller):
    """The tools of one instance."""

    path = "/instances/{slug:str}/tools"
    tags = ("Tools",)

    @get(summary="List an instance's tools", responses=read_errors(404))
    async def show(
        self, *, slug: FromPath[str], show_instance: NamedDependency[ShowInstance], catalog: NamedDependency[Catalog]
    ) -> Response[ToolsResponse]:
        """Returns each tool with its state: whether it is enabled and available, and which secrets are missing."""
        return _response(await show_instance(slug_in(slug)), catalog.tools)

    @patch(summary="Set an instance's tools", responses=write_errors(404, 412))
    async def change(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        data: JSONBody[PatchToolsBody],
        update_instance: NamedDependency[UpdateInstance],
        catalog: NamedDependency[Catalog],
        if_match: IfMatch = None,
    ) -> Response[ToolsResponse]:
        """Enables the given tools and disables all others."""
        instance = await update_instance(
            slug_in(slug),
            InstancePatch(tools=data.enabled),
            by=request.auth.actor,
            expected_versions=versions_in(if_match),
        )
        return _response(instance, catalog.tools)


def _response(instance: Instance, tools: Mapping[str, Tool]) -> Response[ToolsResponse]:
    names = tuple(dict.fromkeys((*tools, *instance.tools)))
    states = enabled_tools(msgspec.structs.replace(instance, tools=names), tools)
    shown = (
        ToolStateOut(
            name=state.name,
            description=tools[state.name].description if state.installed else "",
            enabled=state.name in instance.tools,
            available=state.ready,
            missing_secrets=state.missing_secrets,
        )
        for state in states
    )
    return Response(ToolsResponse(tools=tuple(shown)), headers={"ETag": etag_of(instance.version)})
