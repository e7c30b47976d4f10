"""Sends the events of a turn to the client, as one chat completion or as a stream of chunks."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec
from litestar.types import Receive, Scope, Send

from polyant.domain.chat import TextDelta
from polyant.domain.final_text import FinalText
from polyant.domain.running_turns import CallerGoneError
from polyant.domain.use_cases.run_turn import TurnRun
from polyant.http.defaults import HEARTBEAT_SECONDS, STREAM_HEAD_SECONDS
from polyant.http.disconnects import watch_disconnect
from polyant.http.errors import CLIENT_CLOSED_REQUEST, body_of
from polyant.http.openai.mapping import Completion, chat_completion, usage_out
from polyant.http.openai.streaming import DONE, HEADERS, PING, ChunkRenderer, error_event
from polyant.http.openai.wire import ChatCompletionRequest
from polyant.http.record import record_of

ResultT = TypeVar("ResultT")

_encoder = msgspec.json.Encoder()


class ResponseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Controls how chat responses are sent; times are in seconds."""

    heartbeat: float = HEARTBEAT_SECONDS
    stream_head: float = STREAM_HEAD_SECONDS
    report_usage: bool = False


def respond(
    run: TurnRun, request: ChatCompletionRequest, settings: ResponseSettings
) -> "WholeResponse | StreamedResponse":
    """Returns the ASGI application that runs the turn and sends the response, streamed or whole as requested."""
    completion = Completion(id=f"chatcmpl-{os.urandom(12).hex()}", created=int(time.time()), slug=run.instance.slug)
    if request.stream is not True:
        return WholeResponse(run, completion, settings=settings)
    include_usage = request.stream_options is not None and request.stream_options.include_usage is True
    return StreamedResponse(run, completion, include_usage=include_usage, settings=settings)


async def _run_watched(run: TurnRun, scope: Scope, receive: Receive, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Returns the result of the work, which reads the turn's events; the turn's metrics go to the request's record.

    Raises:
        CallerGoneError: The client disconnected.
        PolyantError: The turn was rejected or interrupted, see `TurnRun`.
    """
    record = record_of(scope)
    end_watch: Callable[[], object] | None = None
    try:
        async with run:
            end_watch = watch_disconnect(scope, receive, run.lose_caller)
            return await work()
    except CallerGoneError:
        record.status = CLIENT_CLOSED_REQUEST
        raise
    finally:
        if end_watch is not None:
            end_watch()  # only now: the client may also disconnect while the turn cleans up
        record.turn = run.record


class WholeResponse:
    """An ASGI application that sends a completed turn as one JSON object."""

    def __init__(self, run: TurnRun, completion: Completion, *, settings: ResponseSettings) -> None:
        self._run = run
        self._completion = completion
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the turn and sends its final text; raises errors, so that they set the HTTP status."""
        text = await _run_watched(self._run, scope, receive, self._collect)
        usage = usage_out(self._run.usage, report=self._settings.report_usage)
        body = _encoder.encode(chat_completion(self._completion, text, usage))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _collect(self) -> str:
        final = FinalText()
        async for event in self._run:
            final.add(event)
        return final.text


class StreamedResponse:
    """An ASGI application that sends the events of a turn as server-sent events, without delay."""

    def __init__(
        self, run: TurnRun, completion: Completion, *, include_usage: bool, settings: ResponseSettings
    ) -> None:
        self._run = run
        self._include_usage = include_usage
        self._chunks = ChunkRenderer(completion.id, completion.created, completion.slug, include_usage=include_usage)
        self._settings = settings
        self._begun: asyncio.Future[None] | None = None
        self._last_sent = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the turn; an error before the status line is raised, and a later one is sent as an event."""
        keep_alive = asyncio.create_task(self._keep_alive(send))
        try:
            await _run_watched(self._run, scope, receive, partial(self._relay, send))
        except CallerGoneError:
            if self._begun is None:
                raise
            return
        except Exception as error:
            if self._begun is None:
                raise
            await self._begun
            record = record_of(scope)
            await _send_body(send, error_event(body_of(error, record), record.error_format))
        finally:
            keep_alive.cancel()
        await _send_body(send, DONE, more=False)

    async def _relay(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        begun = False
        async for event in self._run:
            if not begun:
                await self._begin(send)
                begun = True
            if isinstance(event, TextDelta):
                await _send_body(send, self._chunks.text(event.text))
                self._last_sent = loop.time()
        await self._begin(send)
        await _send_body(send, self._chunks.finish())
        if self._include_usage:
            await _send_body(send, self._chunks.usage(usage_out(self._run.usage, report=self._settings.report_usage)))

    async def _begin(self, send: Send) -> None:
        """Sends the status line and the first chunk if no other task has done so; returns once both are sent."""
        if self._begun is None:
            self._begun = asyncio.ensure_future(self._send_head(send))
        if not self._begun.done():
            await asyncio.shield(self._begun)

    async def _send_head(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        await _send_body(send, self._chunks.role())
        self._last_sent = asyncio.get_running_loop().time()

    async def _keep_alive(self, send: Send) -> None:
        """Sends the status line when its delay has passed, and then a comment after each silent heartbeat interval."""
        loop = asyncio.get_running_loop()
        head_due = loop.time() + self._settings.stream_head
        while True:
            due = head_due if self._begun is None else self._last_sent + self._settings.heartbeat
            if due > loop.time():
                # At most one heartbeat: the other task may send the status line meanwhile.
                await asyncio.sleep(min(due - loop.time(), self._settings.heartbeat))
            elif self._begun is None or not self._begun.done():
                await self._begin(send)
            else:
                await _send_body(send, PING)
                self._last_sent = loop.time()


def _send_body(send: Send, body: bytes, *, more: bool = True) -> Awaitable[None]:
    return send({"type": "http.response.body", "body": body, "more_body": more})
