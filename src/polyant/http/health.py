"""GET /health and GET /health/ready: liveness and readiness probes."""

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency

from polyant.domain.errors import ServerShuttingDownError
from polyant.domain.ports.clock import Clock
from polyant.domain.running_turns import RunningTurns
from polyant.domain.use_cases.check_storage import CheckStorage
from polyant.http.error_responses import error_responses


class Health(msgspec.Struct, frozen=True):
    """The response of the health checks."""

    status: str
    timestamp: str
    service: str = "polyant"


class Readiness:
    """Checks whether the server can handle requests now."""

    def __init__(self, *, clock: Clock, turns: RunningTurns, check_storage: CheckStorage) -> None:
        self._clock = clock
        self._turns = turns
        self._check_storage = check_storage

    def alive(self) -> Health:
        """Returns the status `ok` and the server's time."""
        return Health("ok", self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"))

    async def ready(self) -> Health:
        """Returns the same as `alive` if the database responds.

        Raises:
            ServerShuttingDownError: The server is shutting down.
            StorageUnavailableError: The database doesn't respond.
        """
        if self._turns.stopping:
            raise ServerShuttingDownError
        await self._check_storage()
        return self.alive()


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
        """Responds with 200 if the database is available, else with 503. Also responds with 503 during shutdown."""
        return await readiness.ready()
