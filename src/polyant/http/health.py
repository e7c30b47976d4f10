"""GET /health and GET /health/ready: liveness and readiness probes."""

import asyncio

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from msgspec import UNSET, UnsetType

from polyant.domain.adapter_health import AdapterHealth, degraded
from polyant.domain.errors import ServerShuttingDownError, UnavailableError
from polyant.domain.ports.clock import Clock
from polyant.domain.running_turns import RunningTurns
from polyant.domain.use_cases.check_storage import CheckStorage
from polyant.http.error_responses import error_responses

_CHECK_INTERVAL_SECONDS = 1.0


class Health(msgspec.Struct, frozen=True):
    """The response of the health checks."""

    status: str
    """`ok`, or `degraded` if turns can run but an adapter doesn't work."""
    timestamp: str
    service: str = "polyant"
    degraded: tuple[str, ...] | UnsetType = UNSET
    """The adapters that don't work, as group and name; absent if all do."""


class Readiness:
    """Checks whether the server can handle requests now; checks database and adapters at most once a second."""

    def __init__(
        self, *, clock: Clock, turns: RunningTurns, check_storage: CheckStorage, adapter_health: AdapterHealth
    ) -> None:
        self._clock = clock
        self._turns = turns
        self._check_storage = check_storage
        self._adapter_health = adapter_health
        self._check: asyncio.Task[UnavailableError | tuple[str, ...]] | None = None
        self._checked_at = 0.0

    def alive(self) -> Health:
        """Returns the status `ok` and the server's time."""
        return Health("ok", self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"))

    async def ready(self) -> Health:
        """Returns the same as `alive` if database and adapters worked when they were last checked.

        If turns can run, but an adapter doesn't work, the status is `degraded`. Calls within a second share one check,
        and so do calls during a check.

        Raises:
            ServerShuttingDownError: The server is shutting down.
            UnavailableError: The database, or an adapter without which no turn can run, doesn't work.
        """
        if self._turns.stopping:
            raise ServerShuttingDownError
        found = await asyncio.shield(self._latest_check())
        if isinstance(found, UnavailableError):
            raise found.with_traceback(None)  # callers share it: each would add to its traceback
        return msgspec.structs.replace(self.alive(), status="degraded", degraded=found) if found else self.alive()

    def _latest_check(self) -> "asyncio.Task[UnavailableError | tuple[str, ...]]":
        """Returns the check that is running or began less than a second ago, else a new one."""
        now = self._clock.monotonic()
        if self._check is None or (self._check.done() and now - self._checked_at >= _CHECK_INTERVAL_SECONDS):
            self._check, self._checked_at = asyncio.create_task(self._outage()), now
        return self._check

    async def _outage(self) -> UnavailableError | tuple[str, ...]:
        """Returns the outage that stops all turns, or the adapters that don't work."""
        try:
            _, unhealthy = await asyncio.gather(self._check_storage(), self._adapter_health.unhealthy())
            return degraded(unhealthy)
        except UnavailableError as error:
            return error


class HealthController(Controller):
    """The health checks."""

    path = "/health"
    tags = ("Health",)
    security = ({},)

    @get(summary="Check liveness", sync_to_thread=False)
    def alive(self, readiness: NamedDependency[Readiness]) -> Health:
        """Responds with 200 as long as the process runs. It doesn't check the database."""
        return readiness.alive()

    @get("/ready", summary="Check readiness", responses=error_responses(503))
    async def ready(self, readiness: NamedDependency[Readiness]) -> Health:
        """Responds with 200 if turns can run, else with 503. Also responds with 503 during shutdown.

        The server checks the database and its adapters at most once a second. If turns can run, but an adapter doesn't
        work, the status is `degraded`, and `degraded` lists the adapter.
        """
        return await readiness.ready()
