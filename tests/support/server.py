"""A real uvicorn in a thread, and clients that speak HTTP to it over real sockets."""

import asyncio
import http.client
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import uvicorn

from polyant.domain.ports.password_hasher import PasswordHasher
from polyant.http.app import HttpSettings
from support.app import App
from support.patience import PATIENCE

ResultT = TypeVar("ResultT")


class _Server(uvicorn.Server):
    """A uvicorn server that exposes its event loop and when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.ready.set()


class LiveServer:
    """An application served on a free port, configured as `polyant serve` configures it."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        config = uvicorn.Config(
            app.asgi,
            loop="uvloop",
            http="polyant.http.protocol:HttpProtocol",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)

    def start(self) -> None:
        """Returns once the server accepts connections."""
        self._thread.start()
        assert self._server.ready.wait(PATIENCE), "the server did not start"

    def stop(self) -> None:
        """Returns once the server has stopped."""
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        self._listener.close()
        assert not self._thread.is_alive(), "the server did not stop"

    def run(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Returns the result of a coroutine that runs in the server's event loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._server.loop).result(PATIENCE)

    def open(self, gate: asyncio.Event) -> None:
        """Sets an event that a turn is waiting for."""
        self._server.loop.call_soon_threadsafe(gate.set)

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        """Yields an HTTP connection to the server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def socket(self) -> Iterator[socket.socket]:
        """Yields a raw TCP connection, for bytes that no HTTP client would send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            yield connection
            with suppress(OSError):  # the test may have closed it
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def live(*, hasher: PasswordHasher | None = None, **settings: Any) -> Iterator[LiveServer]:
    """Yields a running server with the instance `demo-bot`, without a rate limit unless the settings give one."""
    app = App(HttpSettings(**{"rate_limit": None, **settings}), hasher=hasher)
    asyncio.run(app.add("demo-bot"))
    asyncio.run(app.management.add_default_user())
    server = LiveServer(app)
    server.start()
    try:
        yield server
    finally:
        server.stop()
    app.retire()
