"""A real HTTP server that sends the replies that a test scripts, including protocol violations.

async with ScriptedUpstream() as upstream:
upstream.replies.append(Reply(pieces=(b"...",)))
...  # call upstream.url
assert upstream.requests[0].json() == ...
"""

import asyncio
import enum
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import msgspec


class Then(enum.Enum):
    """A misbehaviour among the pieces of a reply."""

    HANG = enum.auto()
    """Sends nothing more until the peer hangs up."""
    CUT = enum.auto()
    """Closes the connection."""


class Gate:
    """A piece that delays the rest of the reply until `open` is called in the server's event loop."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._open = asyncio.Event()

    def open(self) -> None:
        """Lets the rest of the reply be sent."""
        self._open.set()

    async def wait(self) -> None:
        """Returns once the gate is open."""
        self.reached.set()
        await self._open.wait()


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One reply.

    A number among the pieces is a pause in seconds. With `raw` framing, the pieces include the head.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[bytes | float | Gate | Then, ...] = ()
    framing: Literal["chunked", "length", "close", "raw"] = "length"


@dataclass(eq=False, kw_only=True)
class Received:
    """One request as received."""

    connection: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the peer has closed the connection of the request."""

    def json(self) -> Any:
        """Returns the decoded body."""
        return msgspec.json.decode(self.body)


Responder = Callable[[Received], Reply]

HANG_BEFORE_HEAD = Reply(framing="raw", pieces=(Then.HANG,))
DROP = Reply(framing="raw", pieces=(Then.CUT,))
_NO_REPLY = Reply(status=500, pieces=(b"the test has scripted no reply",))


def json_reply(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Returns a reply with a complete JSON document."""
    typed = {"Content-Type": "application/json", **(headers or {})}
    return Reply(status=status, headers=typed, pieces=(msgspec.json.encode(body),))


class ScriptedUpstream:
    """Answers each request with the next of `replies`, or with `otherwise` if none is left."""

    def __init__(self) -> None:
        self.replies: deque[Reply | Responder] = deque()
        self.otherwise: Reply | Responder = _NO_REPLY
        self.requests: list[Received] = []
        self.url = ""
        self._arrived = asyncio.Event()
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Starts the server on a free port of the loopback interface."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops the server and closes its connections."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def posts(self) -> list[Received]:
        """The POST requests, without the availability checks."""
        return [request for request in self.requests if request.method == "POST"]

    async def request(self, number: int = 0) -> Received:
        """Returns the request with this index once it has arrived."""
        while len(self.requests) <= number:
            self._arrived.clear()
            await self._arrived.wait()
        return self.requests[number]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections += 1
        received: list[Received] = []
        try:
            while await self._exchange(reader, writer, self._connections, received):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the peer hung up
        finally:
            for request in received:
                request.hung_up.set()
            writer.close()
            self._tasks.discard(task)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int, received: list[Received]
    ) -> bool:
        """Serves one request; returns whether the connection stays open."""
        request = await _receive(reader, connection)
        received.append(request)
        self.requests.append(request)
        self._arrived.set()
        reply = self.replies.popleft() if self.replies else self.otherwise
        return await _answer(reply if isinstance(reply, Reply) else reply(request), reader, writer)


async def _receive(reader: asyncio.StreamReader, connection: int) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(connection=connection, method=method, path=path, headers=headers, body=body)


async def _answer(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(_head(reply))
    for piece in reply.pieces:
        match piece:
            case Then.CUT:
                return False
            case Then.HANG:
                await reader.read(1)
                return False
            case Gate():
                await piece.wait()
            case bytes():
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if reply.framing == "chunked" else piece)
                await writer.drain()
                await asyncio.sleep(0)
            case _:
                await asyncio.sleep(piece)
    if reply.framing == "chunked":
        writer.write(b"0\r\n\r\n")
    return reply.framing in ("chunked", "length")


def _head(reply: Reply) -> bytes:
    if reply.framing == "raw":
        return b""
    headers = dict(reply.headers)
    match reply.framing:
        case "chunked":
            headers["Transfer-Encoding"] = "chunked"
        case "close":
            headers["Connection"] = "close"
        case "length":
            headers["Content-Length"] = str(sum(len(piece) for piece in reply.pieces if isinstance(piece, bytes)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} Scripted\r\n{lines}\r\n".encode()
