"""/api/tools and /api/providers: what may be chosen."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from msgspec import Meta

from polyant.domain.catalog import Catalog
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.tool import Tool
from polyant.domain.tools import tool_spec
from polyant.http.management.wire import Answer
from polyant.http.refusals import read_refusals


class ToolOut(Answer, frozen=True, kw_only=True):
    """A tool that is installed."""

    name: str
    description: str
    parameters: Annotated[dict[str, Any], Meta(description="What it takes, as a JSON schema")]
    secrets: Annotated[tuple[str, ...], Meta(description="The instance's secrets that it needs")]


class ToolCatalog(Answer, frozen=True, kw_only=True):
    """The tools that instances may have."""

    tools: tuple[ToolOut, ...]


class ProviderOut(Answer, frozen=True, kw_only=True):
    """A model provider that is enabled."""

    name: str
    default_model: str
    base_url: str
    secret: Annotated[str, Meta(description="The instance's secret that holds its key, if it needs one")] | None


class ProviderCatalog(Answer, frozen=True, kw_only=True):
    """The providers that instances may use."""

    providers: tuple[ProviderOut, ...]


class CatalogController(Controller):
    """What may be chosen."""

    path = "/"
    tags = ("Choices",)

    @get("/tools", summary="List the tools", responses=read_refusals(), sync_to_thread=False)
    def tools(self, catalog: NamedDependency[Catalog]) -> ToolCatalog:
        """Lists the tools that instances may have."""
        return ToolCatalog(tools=tuple(map(_tool_out, catalog.tools.values())))

    @get("/providers", summary="List the providers", responses=read_refusals(), sync_to_thread=False)
    def providers(self, catalog: NamedDependency[Catalog]) -> ProviderCatalog:
        """Lists the providers that instances may use."""
        return ProviderCatalog(providers=tuple(map(_provider_out, catalog.providers.values())))


def _tool_out(tool: Tool) -> ToolOut:
    spec = tool_spec(tool.name, tool.description, tool.arguments)
    return ToolOut(
        name=spec.name,
        description=spec.description,
        parameters=msgspec.json.decode(spec.parameters),
        secrets=tool.secrets,
    )


def _provider_out(info: ProviderInfo) -> ProviderOut:
    return ProviderOut(name=info.name, default_model=info.default_model, base_url=info.base_url, secret=info.secret)
