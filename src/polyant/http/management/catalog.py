"""/api/tools, /api/providers and /api/options: the tools, providers and options that instances can use."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from msgspec import Meta

from polyant.domain.adapter_options import AdapterOptions
from polyant.domain.catalog import Catalog
from polyant.domain.ports.chat_model import ProviderInfo
from polyant.domain.ports.tool import Tool
from polyant.domain.tools import tool_spec
from polyant.domain.turn_records import TurnOutcome, TurnRecord
from polyant.domain.use_cases.check_providers import CheckProviders
from polyant.domain.use_cases.show_provider_turns import ShowProviderTurns
from polyant.http.error_responses import read_errors
from polyant.http.management.wire import ResponseBody, Timestamp


class ToolOut(ResponseBody, frozen=True, kw_only=True):
    """An installed tool."""

    name: str
    description: str
    parameters: Annotated[dict[str, Any], Meta(description="JSON schema of the tool's parameters")]
    secrets: Annotated[tuple[str, ...], Meta(description="Names of the instance's secrets that the tool needs")]


class ToolCatalog(ResponseBody, frozen=True, kw_only=True):
    """The tools that instances can use."""

    tools: tuple[ToolOut, ...]


class ProviderTurnOut(ResponseBody, frozen=True, kw_only=True):
    """The last turn of a provider, over all instances."""

    at: Annotated[Timestamp, Meta(description="Start of the turn")]
    outcome: TurnOutcome


class ProviderOut(ResponseBody, frozen=True, kw_only=True):
    """An enabled model provider."""

    name: str
    default_model: Annotated[str, Meta(description="Model of new instances")]
    base_url: Annotated[str, Meta(description="The provider's own base URL")]
    secret: Annotated[str, Meta(description="Name of the secret with the API key; null if none is needed")] | None
    last_turn: Annotated[ProviderTurnOut | None, Meta(description="Null if none of the latest 5,000 turns used it")]


class ProviderCatalog(ResponseBody, frozen=True, kw_only=True):
    """The providers that instances can use."""

    providers: tuple[ProviderOut, ...]


class AdapterOptionsOut(ResponseBody, frozen=True, kw_only=True):
    """An adapter with options that instances can set."""

    name: Annotated[str, Meta(description="The adapter's name, the key of its entry in an instance's `options`")]
    options: Annotated[dict[str, Any], Meta(description="JSON schema of the options")]


class OptionsCatalog(ResponseBody, frozen=True, kw_only=True):
    """The adapters with options."""

    adapters: tuple[AdapterOptionsOut, ...]


class ProviderCheckOut(ResponseBody, frozen=True, kw_only=True):
    """The result of checking a provider."""

    name: str
    at: Timestamp
    ms: Annotated[float, Meta(description="Duration in milliseconds")]
    problem: Annotated[str | None, Meta(description="Why it can't be reached; null if it can")]


class ProviderChecks(ResponseBody, frozen=True, kw_only=True):
    """The results of checking the providers."""

    checks: tuple[ProviderCheckOut, ...]


class CatalogController(Controller):
    """The tools and providers that instances can use."""

    path = "/"
    tags = ("Catalog",)

    @get("/tools", summary="List tools", responses=read_errors(), sync_to_thread=False)
    def tools(self, catalog: NamedDependency[Catalog]) -> ToolCatalog:
        """Returns the tools that instances can use."""
        return ToolCatalog(tools=tuple(map(_tool_out, catalog.tools.values())))

    @get("/providers", summary="List providers", responses=read_errors())
    async def providers(
        self, *, catalog: NamedDependency[Catalog], show_provider_turns: NamedDependency[ShowProviderTurns]
    ) -> ProviderCatalog:
        """Returns the model providers that instances can use, and how the last turn of each ended."""
        turns = await show_provider_turns()
        infos = catalog.providers.values()
        return ProviderCatalog(providers=tuple(_provider_out(info, turns.get(info.name)) for info in infos))

    @get("/options", summary="List options", responses=read_errors(), sync_to_thread=False)
    def options(self, adapter_options: NamedDependency[AdapterOptions]) -> OptionsCatalog:
        """Returns the options that instances can set for each chat model, tool and Supervisor."""
        schemas = adapter_options.schemas
        return OptionsCatalog(
            adapters=tuple(AdapterOptionsOut(name=name, options=dict(schema)) for name, schema in schemas.items())
        )

    @post("/providers/check", summary="Check providers", status_code=200, responses=read_errors(403))
    async def check(self, *, check_providers: NamedDependency[CheckProviders]) -> ProviderChecks:
        """Calls each provider's own address, without a key and without a model."""
        checks = await check_providers()
        return ProviderChecks(
            checks=tuple(
                ProviderCheckOut(name=name, at=check.at, ms=check.milliseconds, problem=check.problem)
                for name, check in checks.items()
            )
        )


def _tool_out(tool: Tool) -> ToolOut:
    spec = tool_spec(tool.name, tool.description, tool.arguments)
    return ToolOut(
        name=spec.name,
        description=spec.description,
        parameters=msgspec.json.decode(spec.parameters),
        secrets=tool.secrets,
    )


def _provider_out(info: ProviderInfo, turn: TurnRecord | None) -> ProviderOut:
    last = None if turn is None else ProviderTurnOut(at=turn.at, outcome=turn.outcome)
    return ProviderOut(
        name=info.name, default_model=info.default_model, base_url=info.base_url, secret=info.secret, last_turn=last
    )
