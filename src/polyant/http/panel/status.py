"""/status: the server, its data, the providers and the rate limit."""

from importlib.metadata import version
from typing import Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency

from polyant.domain.catalog import Catalog
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.instances import InstanceQuery, InstanceStatus
from polyant.domain.limits import RateLimit
from polyant.domain.ports.clock import Clock
from polyant.domain.provider_keys import ProviderKeys
from polyant.domain.running_turns import RunningTurns
from polyant.domain.turn_records import TurnRecord
from polyant.domain.use_cases.check_providers import CheckProviders
from polyant.domain.use_cases.list_instances import ListInstances
from polyant.domain.use_cases.show_provider_turns import ShowProviderTurns
from polyant.http.panel.forms import read_form
from polyant.http.panel.pages import PanelRequest, base_url_of, page, see_other
from polyant.http.panel.texts import OUTCOMES

_SECOND = 1_000


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about the server that its settings determine."""

    started: float
    """The monotonic time of the start, in seconds."""
    rate_limit: RateLimit | None
    trusted_hops: int
    metrics: bool


class StatusPages:
    """Renders the page.

    Args:
        facts: The facts from the settings.
        clock: Measures the uptime and the database.
        turns: The running turns of this worker.
        catalog: The providers.
        provider_keys: Knows which providers the server has keys for.
        check_providers: Has the results of the last check.
        list_instances: Counts the instances, which also shows whether the database responds.
        show_provider_turns: Knows how the last turn of each provider ended.
    """

    def __init__(
        self,
        *,
        facts: ServerFacts,
        clock: Clock,
        turns: RunningTurns,
        catalog: Catalog,
        provider_keys: ProviderKeys,
        check_providers: CheckProviders,
        list_instances: ListInstances,
        show_provider_turns: ShowProviderTurns,
    ) -> None:
        self._facts = facts
        self._clock = clock
        self._turns = turns
        self._catalog = catalog
        self._provider_keys = provider_keys
        self._check_providers = check_providers
        self._list_instances = list_instances
        self._show_provider_turns = show_provider_turns

    async def page(self, request: PanelRequest) -> Response[Any]:
        """Returns the page."""
        began = self._clock.monotonic()
        try:
            total = (await self._list_instances(InstanceQuery(limit=0))).total
            active = (await self._list_instances(InstanceQuery(status=InstanceStatus.ACTIVE, limit=0))).total
            milliseconds = (self._clock.monotonic() - began) * _SECOND
            turns, outage = await self._show_provider_turns(), None
        except StorageUnavailableError as error:
            total, active, turns, milliseconds, outage = 0, 0, {}, 0.0, error.explanation
        return page(
            request,
            "status.html",
            facts=self._facts,
            server_version=version("polyant"),
            uptime=(began - self._facts.started) * _SECOND,
            running=self._turns.active,
            max_turns=self._turns.max_turns,
            base_url=base_url_of(request),
            database_milliseconds=milliseconds,
            outage=outage,
            total=total,
            active=active,
            providers=[self._provider(name, turns.get(name)) for name in self._catalog.providers],
            outcomes=OUTCOMES,
        )

    def _provider(self, name: str, turn: TurnRecord | None) -> dict[str, Any]:
        info = self._catalog.providers[name]
        return {
            "name": name,
            "base_url": info.base_url,
            "needs_key": info.secret is not None,
            "server_has_key": self._provider_keys.server_has_key(info),
            "variable": info.environment_variable,
            "check": self._check_providers.last.get(name),
            "turn": turn,
        }


class StatusPageController(Controller):
    """The status of the server."""

    path = "/status"
    include_in_schema = False

    @get()
    async def show(self, *, request: PanelRequest, status_pages: NamedDependency[StatusPages]) -> Response[Any]:
        """Returns the page."""
        return await status_pages.page(request)

    @post("/check")
    async def check(self, *, request: PanelRequest, check_providers: NamedDependency[CheckProviders]) -> Response[Any]:
        """Checks whether the providers can be reached."""
        if not (await read_form(request)).is_draft:
            await check_providers()
        return see_other("/status#providers")
