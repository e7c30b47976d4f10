"""Sends a turn's events to the caller: whole, or as a stream."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import assert_never

import msgspec
from litestar.types import Receive, Scope, Send

from polyant.domain.chat import SupervisorEvent, TextDelta, ToolStarted
from polyant.domain.errors import ServerShuttingDownError
from polyant.http.errors import CLIENT_CLOSED_REQUEST, ClientGoneError, body_of
from polyant.http.openai.mapping import Completion, chat_completion, usage_out
from polyant.http.openai.streaming import DONE, HEADERS, PING, ChunkRenderer, error_event
from polyant.http.record import record_of
from polyant.http.turn_meter import TurnMeter
from polyant.http.turns import Interruption, RunningTurns

Events = AsyncGenerator[SupervisorEvent, None]

_encoder = msgspec.json.Encoder()


class AnswerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How answers are sent; times in seconds."""

    heartbeat: float = 15.0
    stream_head: float = 5.0
    report_usage: bool = False


@contextlib.asynccontextmanager
async def running(
    events: Events, *, meter: TurnMeter, turns: RunningTurns, scope: Scope, receive: Receive
) -> AsyncIterator[None]:
    """Runs a turn for as long as its client waits and the server may run, and abandons it after that.

    Raises:
        ServerBusyError: Too many turns run already.
        ServerShuttingDownError: The server ends, or ended this turn.
        ClientGoneError: The client went away.
    """
    with turns.admit(receive) as turn, meter:
        try:
            async with contextlib.aclosing(events):
                yield
        except asyncio.CancelledError:
            match turn.interrupted():
                case None:
                    raise
                case Interruption.CLIENT_GONE:
                    record_of(scope).status = CLIENT_CLOSED_REQUEST
                    raise ClientGoneError from None
                case Interruption.SHUTDOWN:
                    raise ServerShuttingDownError from None
                case never:
                    assert_never(never)


class WholeAnswer:
    """An ASGI application that collects a turn and sends it as one JSON object."""

    def __init__(
        self,
        events: Events,
        completion: Completion,
        *,
        meter: TurnMeter,
        turns: RunningTurns,
        settings: AnswerSettings,
    ) -> None:
        self._events = events
        self._meter = meter
        self._completion = completion
        self._turns = turns
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the turn and sends its final text; what fails is raised, to be answered with its own status."""
        async with running(self._events, meter=self._meter, turns=self._turns, scope=scope, receive=receive):
            text = await self._collect()
        shown = usage_out(self._meter.usage, report=self._settings.report_usage)
        body = _encoder.encode(chat_completion(self._completion, text, shown))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _collect(self) -> str:
        texts: list[str] = []
        async for event in self._events:
            self._meter.take(event)
            match event:
                case TextDelta():
                    texts.append(event.text)
                case ToolStarted():
                    texts.clear()  # what was said before a tool ran isn't part of the final text
        return "".join(texts)


class StreamedAnswer:
    """An ASGI application that sends a turn as server-sent events, each as soon as it happens."""

    def __init__(
        self,
        events: Events,
        completion: Completion,
        *,
        include_usage: bool,
        meter: TurnMeter,
        turns: RunningTurns,
        settings: AnswerSettings,
    ) -> None:
        self._events = events
        self._meter = meter
        self._include_usage = include_usage
        self._chunks = ChunkRenderer(completion.id, completion.created, completion.slug, include_usage=include_usage)
        self._turns = turns
        self._settings = settings
        self._begun: asyncio.Future[None] | None = None
        self._last_sent = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the turn; what fails before the status line is raised, what fails after it becomes an event."""
        keep_alive = asyncio.create_task(self._keep_alive(send))
        try:
            async with running(self._events, meter=self._meter, turns=self._turns, scope=scope, receive=receive):
                await self._relay(send)
        except ClientGoneError:
            if self._begun is None:
                raise
            return
        except Exception as error:
            if self._begun is None:
                raise
            await self._begun
            await _send_body(send, error_event(body_of(error, record_of(scope))))
        finally:
            keep_alive.cancel()
        await _send_body(send, DONE, more=False)

    async def _relay(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        begun = False
        async for event in self._events:
            if not begun:
                await self._begin(send)
                begun = True
            self._meter.take(event)
            if isinstance(event, TextDelta):
                await _send_body(send, self._chunks.text(event.text))
                self._last_sent = loop.time()
        await self._begin(send)
        await _send_body(send, self._chunks.finish())
        if self._include_usage:
            await _send_body(send, self._chunks.usage(usage_out(self._meter.usage, report=self._settings.report_usage)))

    async def _begin(self, send: Send) -> None:
        """Sends the status line and the first chunk, once, whoever comes first; returns when both are out."""
        if self._begun is None:
            self._begun = asyncio.ensure_future(self._send_head(send))
        if not self._begun.done():
            await asyncio.shield(self._begun)

    async def _send_head(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        await _send_body(send, self._chunks.role())
        self._last_sent = asyncio.get_running_loop().time()

    async def _keep_alive(self, send: Send) -> None:
        """Sends the status line when it can wait no longer, and a comment whenever nothing was sent for a while."""
        loop = asyncio.get_running_loop()
        head_due = loop.time() + self._settings.stream_head
        while True:
            due = head_due if self._begun is None else self._last_sent + self._settings.heartbeat
            if due > loop.time():
                # Never longer than a heartbeat: the head may go out meanwhile.
                await asyncio.sleep(min(due - loop.time(), self._settings.heartbeat))
            elif self._begun is None or not self._begun.done():
                await self._begin(send)
            else:
                await _send_body(send, PING)
                self._last_sent = loop.time()


def _send_body(send: Send, body: bytes, *, more: bool = True) -> Awaitable[None]:
    return send({"type": "http.response.body", "body": body, "more_body": more})
