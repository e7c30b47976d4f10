"""An ASGI client in the application's event loop, which lets a test see each message when it is sent."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec
from litestar.types import ASGIApp

from support.patience import PATIENCE, seconds

Message = dict[str, Any]


class Response(NamedTuple):
    """A complete response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.headers]

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        assert len(found) < 2, f"{name} is sent more than once"
        return found[0] if found else None


class Exchange:
    """One request in progress, whose response is read message by message or as a whole."""

    def __init__(self, app: ASGIApp, scope: dict[str, Any], body: Sequence[bytes], *, complete: bool = True) -> None:
        self.sent: list[Message] = []
        """Every message sent so far."""
        self.sent_at: list[float] = []
        """The event loop's time at which each message was sent."""
        self.writable = asyncio.Event()
        """Cleared while the client stops reading, which blocks the application's sends."""
        self.writable.set()
        self.blocked = asyncio.Event()
        """Set once the application tries to send while the client has stopped reading."""
        self._unread: asyncio.Queue[Message] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._parts = [
            {"type": "http.request", "body": part, "more_body": index < len(body) - 1 or not complete}
            for index, part in enumerate(body)
        ]
        self.task: asyncio.Task[None] = asyncio.create_task(self._run(app, scope))

    async def next(self) -> Message:
        """Returns the next message as soon as it is sent."""
        async with asyncio.timeout(PATIENCE):
            return await self._unread.get()

    async def next_body(self) -> bytes:
        """Returns the body of the next message."""
        message = await self.next()
        assert message["type"] == "http.response.body"
        body: bytes = message["body"]
        return body

    async def whole(self) -> Response:
        """Returns the response once the application has finished."""
        async with asyncio.timeout(PATIENCE):
            await self.task
        start, *rest = self.sent
        assert start["type"] == "http.response.start"
        assert [message.get("more_body", False) for message in rest] == [True] * (len(rest) - 1) + [False]
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
        return Response(start["status"], headers, b"".join(message["body"] for message in rest))

    def disconnect(self) -> None:
        """Disconnects the client. Later messages are discarded, as a real server does."""
        self._gone.set()
        self.writable.set()

    async def over(self) -> None:
        """Returns once the application has finished after a disconnect, within a second."""
        async with asyncio.timeout(seconds(1)):
            await self.task

    async def _run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        await app(scope, self._receive, self._send)  # type: ignore[arg-type]

    async def _receive(self) -> Message:
        if self._parts:
            return self._parts.pop(0)
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if not self.writable.is_set():
            self.blocked.set()
        await self.writable.wait()
        await asyncio.sleep(0)  # a server may yield to other tasks at any message
        if not self._gone.is_set():
            self.sent.append(message)
            self.sent_at.append(asyncio.get_running_loop().time())
            self._unread.put_nowait(message)


async def settle() -> None:
    """Runs every task that is ready to run."""
    for _ in range(20):
        await asyncio.sleep(0)


def http_scope(
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    client: tuple[str, int] | None,
    server: tuple[str, int | None] | None,
) -> dict[str, Any]:
    """Returns the ASGI scope that uvicorn builds for a request."""
    raw_path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": client,
        "server": server,
        "state": {},
    }


class Lifespan:
    """Starts and stops an application as a server does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._stop = asyncio.Event()
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._run())
        assert await self._answer() == "lifespan.startup.complete"

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        assert await self._answer() == "lifespan.shutdown.complete"
        await self._task

    async def _answer(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self._answers.get()

    async def _run(self) -> None:
        asked_to_start = False

        async def receive() -> Message:
            nonlocal asked_to_start
            if not asked_to_start:
                asked_to_start = True
                return {"type": "lifespan.startup"}
            await self._stop.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            self._answers.put_nowait(message["type"])

        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        await self._app(scope, receive, send)  # type: ignore[arg-type]
