"""The servers that `polyant serve` runs: uvicorn's, which announce themselves and lose no connection when they stop."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress

import uvicorn
from uvicorn.supervisors import Multiprocess, multiprocess


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
    """A draining server that prints a message once it accepts connections.

    Args:
        config: The configuration.
        message: The message to print.
    """

    def __init__(self, config: uvicorn.Config, *, message: str) -> None:
        super().__init__(config)
        self._message = message

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._message, flush=True)


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
        sockets: The listening sockets.
        message: The message to print once a worker accepts connections.
    """

    def __init__(self, config: uvicorn.Config, sockets: Sequence[socket.socket], *, message: str) -> None:
        super().__init__(config, list(sockets))
        self._message = message
        self._announced = False

    def init_processes(self) -> None:
        multiprocess.Process = DrainingProcess  # type: ignore[misc]  # uvicorn has no argument for it
        super().init_processes()

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        if not self._announced and any(process.is_ready() for process in self.processes):
            self._announced = True
            print(self._message, flush=True)

    def terminate_all(self) -> None:
        for each in self.sockets:
            each.close()
        super().terminate_all()


def _accepted(listener: socket.socket) -> Iterator[socket.socket]:
    """Yields the connections in the queue of a listening socket that doesn't block."""
    with suppress(OSError):  # the queue is empty, or no file descriptor is left
        while True:
            yield listener.accept()[0]
