"""The servers that `polyant serve` runs: uvicorn's, which announce themselves and lose no connection when they stop."""

import asyncio
import logging
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess, multiprocess

from polyant import logs
from polyant.cli.listening import BACKLOG
from polyant.settings import LogFormat, Settings

log = logging.getLogger("polyant")

_SECONDS_TO_CLOSE = 5
"""The time to close connections after the last turn has ended, in seconds."""


class ServerConfig(uvicorn.Config):
    """uvicorn's configuration for Polyant's application.

    Args:
        settings: The settings of the server.
        workers: The number of worker processes.
    """

    def __init__(self, settings: Settings, *, workers: int) -> None:
        self.polyant_log_format: LogFormat = settings.log_format
        super().__init__(
            "polyant.bootstrap:create_app",
            factory=True,
            http="polyant.http.protocol:HttpProtocol",
            workers=workers,
            backlog=BACKLOG,
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            lifespan="on",
            ws="none",
            timeout_graceful_shutdown=math.ceil(settings.shutdown_seconds) + _SECONDS_TO_CLOSE,
        )

    def configure_logging(self) -> None:
        """Configures Polyant's logging; uvicorn calls this first in each worker."""
        if self.polyant_log_format is LogFormat.JSON:
            logs.capture_output()
        logs.configure(self.polyant_log_format)


class DrainingServer(uvicorn.Server):
    """A server that accepts the queued connections before it stops listening.

    For their clients, these connections are open, and requests may have been sent. Closing the socket would reset them,
    and a proxy must not send such a request to another server.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        listeners = sockets or []
        queued = [connection for listener in listeners for connection in _accepted(listener)]
        for server in self.servers:
            server.close()
        for listener in listeners:
            listener.close()
        loop = asyncio.get_running_loop()
        for connection in queued:
            with suppress(OSError):  # the client is gone
                await loop.connect_accepted_socket(self._protocol, connection)
        await asyncio.sleep(0)  # connections that the loop has just accepted get their protocols
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # as in uvicorn's own call
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


class AnnouncingServer(DrainingServer):
    """A draining server that announces that it accepts connections.

    Args:
        config: The configuration.
        announce: Prints the startup message.
    """

    def __init__(self, config: uvicorn.Config, *, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


class DrainingProcess(multiprocess.Process):
    """A worker process that runs a draining server."""

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = DrainingServer(self.config)
        return self._server


class DrainingSupervisor(Multiprocess):
    """A parent of draining workers that closes its listening socket first.

    While any process holds it, new connections are queued after the workers have stopped accepting them.

    Args:
        config: The configuration.
        listener: The listening socket.
        announce: Prints the startup message; called once a worker accepts connections.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket, *, announce: Callable[[], None]) -> None:
        super().__init__(config, [listener])
        self._announce = announce
        self._announced = False

    def init_processes(self) -> None:
        multiprocess.Process = DrainingProcess  # type: ignore[misc]  # uvicorn has no argument for it
        super().init_processes()

    def keep_subprocess_alive(self) -> None:
        before = list(self.processes)
        super().keep_subprocess_alive()
        for old, new in zip(before, self.processes, strict=True):
            if old is not new:
                fields = {"worker": old.pid, "exit_code": old.exitcode, "replaced_by": new.pid}
                log.warning("a worker ended unexpectedly and was replaced", extra={"fields": fields})
        if not self._announced and any(process.is_ready() for process in self.processes):
            self._announced = True
            self._announce()

    def terminate_all(self) -> None:
        for each in self.sockets:
            each.close()
        super().terminate_all()


def run_server(settings: Settings, listener: socket.socket, *, workers: int, announce: Callable[[], None]) -> int:
    """Serves until a signal stops the server, and returns the exit code.

    Args:
        settings: The settings of the server.
        listener: The listening socket.
        workers: The number of worker processes; 1 serves in this process.
        announce: Prints the startup message.
    """
    config = ServerConfig(settings, workers=workers)
    try:
        if workers == 1:
            AnnouncingServer(config, announce=announce).run(sockets=[listener])
            return 0
        supervisor = DrainingSupervisor(config, listener, announce=announce)
        supervisor.run()
    except KeyboardInterrupt:
        return 0  # stopped by Ctrl-C
    return STARTUP_FAILURE if any(each.exitcode == STARTUP_FAILURE for each in supervisor.processes) else 0


def _accepted(listener: socket.socket) -> Iterator[socket.socket]:
    """Yields the connections in the queue of a listening socket that doesn't block."""
    with suppress(OSError):  # the queue is empty, or no file descriptor is left
        while True:
            yield listener.accept()[0]
