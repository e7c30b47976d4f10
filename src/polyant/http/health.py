"""Whether the server is there, and whether it can answer."""

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency

from polyant.domain.errors import ServerShuttingDownError
from polyant.domain.ports.clock import Clock
from polyant.domain.running_turns import RunningTurns
from polyant.domain.use_cases.check_storage import CheckStorage
from polyant.http.refusals import refusals


class Health(msgspec.Struct, frozen=True):
    """What the health routes answer."""

    status: str
    timestamp: str
    service: str = "polyant"


class Readiness:
    """Tells whether the server can answer requests now."""

    def __init__(self, *, clock: Clock, turns: RunningTurns, check_storage: CheckStorage) -> None:
        self._clock = clock
        self._turns = turns
        self._check_storage = check_storage

    def alive(self) -> Health:
        """Returns that the process runs, and its time."""
        return Health("ok", self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"))

    async def ready(self) -> Health:
        """Returns as `alive` once the database has answered.

        Raises:
            ServerShuttingDownError: The server is about to stop.
            StorageUnavailableError: The database doesn't answer.
        """
        if self._turns.closed:
            raise ServerShuttingDownError
        await self._check_storage()
        return self.alive()


class HealthController(Controller):
    """GET /health and /health/ready."""

    path = "/health"
    tags = ("Health",)
    security = ({},)

    @get(summary="Whether the server runs", sync_to_thread=False)
    def alive(self, readiness: NamedDependency[Readiness]) -> Health:
        """Answers as long as the process lives; asks nobody else."""
        return readiness.alive()

    @get("/ready", summary="Whether the server can answer", responses=refusals(503))
    async def ready(self, readiness: NamedDependency[Readiness]) -> Health:
        """Answers 503 until the database does, and while the server stops."""
        return await readiness.ready()
