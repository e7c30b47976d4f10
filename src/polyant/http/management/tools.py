"""/api/instances/{slug}/tools: which tools an instance has."""

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
from polyant.http.management.preconditions import IfMatch, etag_of, versions_in
from polyant.http.management.requests import ApiRequest
from polyant.http.management.wire import MAX_ITEMS, Answer, Body, slug_in
from polyant.http.refusals import read_refusals, write_refusals

ToolName = Annotated[str, Meta(description="The name of a tool, see /api/tools", examples=["calculate"])]


class ToolStateOut(Answer, frozen=True, kw_only=True):
    """A tool, as it stands for one instance."""

    name: str
    description: str
    enabled: bool
    available: Annotated[bool, Meta(description="Whether it could run: it is installed, and no secret is missing")]
    missing_secrets: tuple[str, ...]


class ToolsAnswer(Answer, frozen=True, kw_only=True):
    """The tools that are installed, and those that the instance has though they aren't any more."""

    tools: tuple[ToolStateOut, ...]


class PatchToolsBody(Body, frozen=True, kw_only=True):
    """The whole set of enabled tools."""

    enabled: Annotated[tuple[ToolName, ...], Meta(max_length=MAX_ITEMS)]


class ToolsController(Controller):
    """The tools of one instance."""

    path = "/instances/{slug:str}/tools"
    tags = ("Tools",)

    @get(summary="Show an instance's tools", responses=read_refusals(404))
    async def show(
        self, *, slug: FromPath[str], show_instance: NamedDependency[ShowInstance], catalog: NamedDependency[Catalog]
    ) -> Response[ToolsAnswer]:
        """Shows each tool: whether it is enabled, whether it could run, and which secrets it lacks."""
        return _answer(await show_instance(slug_in(slug)), catalog.tools)

    @patch(summary="Choose an instance's tools", responses=write_refusals(404, 412))
    async def change(
        self,
        *,
        request: ApiRequest,
        slug: FromPath[str],
        data: JSONBody[PatchToolsBody],
        update_instance: NamedDependency[UpdateInstance],
        catalog: NamedDependency[Catalog],
        if_match: IfMatch = None,
    ) -> Response[ToolsAnswer]:
        """Enables these tools and no others."""
        instance = await update_instance(
            slug_in(slug),
            InstancePatch(tools=data.enabled),
            by=request.auth.actor,
            expected_versions=versions_in(if_match),
        )
        return _answer(instance, catalog.tools)


def _answer(instance: Instance, tools: Mapping[str, Tool]) -> Response[ToolsAnswer]:
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
    return Response(ToolsAnswer(tools=tuple(shown)), headers={"ETag": etag_of(instance.version)})
