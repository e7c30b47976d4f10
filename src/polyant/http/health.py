"""GET /health and GET /health/ready: liveness and readiness probes."""

import asyncio

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency

from polyant.domain.errors import ServerShuttingDownError, StorageUnavailableError
from polyant.domain.ports.clock import Clock
from polyant.domain.running_turns import RunningTurns
from polyant.domain.use_cases.check_storage import CheckStorage
from polyant.http.error_responses import error_responses

_CHECK_INTERVAL_SECONDS = 1.0


class Health(msgspec.Struct, frozen=True):
    """The response of the health checks."""

    status: str
    timestamp: str
    service: str = "polyant"


class Readiness:
    """Checks whether the server can handle requests now; checks the database at most once a second."""

    def __init__(self, *, clock: Clock, turns: RunningTurns, check_storage: CheckStorage) -> None:
        self._clock = clock
        self._turns = turns
        self._check_storage = check_storage
        self._check: asyncio.Task[StorageUnavailableError | None] | None = None
        self._checked_at = 0.0

    def alive(self) -> Health:
        """Returns the status `ok` and the server's time."""
        return Health("ok", self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"))

    async def ready(self) -> Health:
        """Returns the same as `alive` if the database responded when it was last checked.

        Calls within a second share one check, and so do calls during a check.

        Raises:
            ServerShuttingDownError: The server is shutting down.
            StorageUnavailableError: The database doesn't respond.
        """
        if self._turns.stopping:
            raise ServerShuttingDownError
        outage = await asyncio.shield(self._latest_check())
        if outage is not None:
            raise outage.with_traceback(None)  # callers share it: each would add to its traceback
        return self.alive()

    def _latest_check(self) -> "asyncio.Task[StorageUnavailableError | None]":
        """Returns the check of the database that is running or began less than a second ago, else a new one."""
        now = self._clock.monotonic()
        if self._check is None or (self._check.done() and now - self._checked_at >= _CHECK_INTERVAL_SECONDS):
            self._check, self._checked_at = asyncio.create_task(self._outage()), now
        return self._check

    async def _outage(self) -> StorageUnavailableError | None:
        try:
            await self._check_storage()
        except StorageUnavailableError as error:
            return error
        return None


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
        """Responds with 200 if the database is available, else with 503. Also responds with 503 during shutdown.

        The server checks the database at most once a second.
        """
        return await readiness.ready()
