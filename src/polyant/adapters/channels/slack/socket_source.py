"""Receives events through Socket Mode: WebSockets to Slack, which need no public address."""

import asyncio
import contextlib
import logging
from collections import deque

import aiohttp
import msgspec

from polyant.adapters.channels.platform_http import CallFailedError, PlatformHttp
from polyant.adapters.channels.slack.account_check import LABEL, accepted
from polyant.adapters.channels.slack.api import SlackApi
from polyant.adapters.channels.slack.events import SlackAccount, read_callback
from polyant.adapters.channels.slack.wire import Envelope
from polyant.domain.channel_events import InboundBatch, InboundEvent, WebhookRefusedError
from polyant.domain.channel_info import ChannelRefusedError, ChannelUnreachableError, PullConflictError
from polyant.domain.errors import UnavailableError
from polyant.domain.ports.channel import EventSource
from polyant.domain.secrets import SecretText

_log = logging.getLogger("polyant.channels")

_OPEN_SECONDS = 10.0
_HEARTBEAT_SECONDS = 20.0
_MAX_BATCH = 100
_MAX_UNCONFIRMED = 256
_EVENTS = "events_api"
_TURNED_OFF = "link_disabled"
_TOO_MANY = "too_many_websockets"


class _Socket:
    """An open WebSocket; `unconfirmed` counts the envelopes that it delivered and that aren't acknowledged."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.unconfirmed = 0
        self.retiring = False
        self.reader: asyncio.Task[None] | None = None

    @property
    def is_usable(self) -> bool:
        return not self.retiring and not self.websocket.closed

    async def close(self) -> None:
        if self.reader is not None:
            self.reader.cancel()
            await asyncio.gather(self.reader, return_exceptions=True)
        with contextlib.suppress(OSError, aiohttp.ClientError):
            await self.websocket.close()


class SlackSocketSource(EventSource):
    """The events of one account.

    It opens a socket when it is first asked for events. If Slack announces that it will close a socket, a new one is
    opened before the announced one is closed.

    Args:
        api: The Web API.
        http: The client for Slack's hosts.
        account: The account; other accounts' events are only counted.
        token: The app-level token.
    """

    def __init__(self, *, api: SlackApi, http: PlatformHttp, account: SlackAccount, token: SecretText) -> None:
        self._api = api
        self._http = http
        self._account = account
        self._token = token
        self._sockets: list[_Socket] = []
        self._arrived: deque[tuple[_Socket, Envelope]] = deque()
        self._returned: deque[tuple[_Socket, Envelope]] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Semaphore(_MAX_UNCONFIRMED)
        self._fault: Exception | None = None
        self._opening: asyncio.Task[None] | None = None

    async def receive(self, seconds: float) -> InboundBatch:
        await self._confirm()
        self._keep_open()
        try:
            async with asyncio.timeout(seconds):
                await self._wait()
        except TimeoutError:
            return InboundBatch()
        return self._take()

    async def close(self) -> None:
        """Closes the sockets; Slack delivers what wasn't acknowledged again, through another one."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        sockets, self._sockets = self._sockets, []
        await asyncio.gather(*(socket.close() for socket in sockets))

    async def _confirm(self) -> None:
        while self._returned:
            socket, envelope = self._returned[0]
            acknowledgement = msgspec.json.encode({"envelope_id": envelope.envelope_id}).decode()
            with contextlib.suppress(OSError, aiohttp.ClientError):  # Slack delivers it again, with the same identity
                await socket.websocket.send_str(acknowledgement)
            self._returned.popleft()
            socket.unconfirmed -= 1
            self._room.release()
        for socket in [each for each in self._sockets if each.websocket.closed or self._is_done(each)]:
            self._sockets.remove(socket)
            await socket.close()

    def _is_done(self, socket: _Socket) -> bool:
        return socket.retiring and not socket.unconfirmed and self._has_usable_socket()

    def _has_usable_socket(self) -> bool:
        return any(socket.is_usable for socket in self._sockets)

    async def _wait(self) -> None:
        """Returns once an envelope has arrived."""
        while True:
            if self._arrived:
                return
            if self._fault is not None:
                fault, self._fault = self._fault, None
                raise fault
            self._keep_open()
            self._changed.clear()
            await self._changed.wait()

    def _keep_open(self) -> None:
        """Starts to open a socket if none is usable; a receiver that gives up doesn't interrupt it."""
        if self._opening is None and not self._has_usable_socket():
            self._opening = asyncio.create_task(self._open_next())

    async def _open_next(self) -> None:
        try:
            await self._open()
        except (ChannelRefusedError, UnavailableError) as error:
            self._fault = error
        finally:
            self._opening = None
            self._changed.set()

    def _take(self) -> InboundBatch:
        events: list[InboundEvent] = []
        ignored = 0
        while self._arrived and len(self._returned) < _MAX_BATCH:
            socket, envelope = self._arrived.popleft()
            self._returned.append((socket, envelope))
            batch = self._read(envelope)
            events += batch.events
            ignored += batch.ignored
        return InboundBatch(events=tuple(events), ignored=ignored)

    def _read(self, envelope: Envelope) -> InboundBatch:
        if envelope.type != _EVENTS:
            return InboundBatch(ignored=1)
        try:
            return read_callback(envelope.payload, self._account)
        except WebhookRefusedError:
            return InboundBatch(ignored=1)

    async def _open(self) -> None:
        try:
            reply = accepted(
                await self._api.call("apps.connections.open", self._token.reveal()), "app_token", "Enter a valid one"
            )
            websocket = await self._http.open_websocket(
                reply.body.url, seconds=_OPEN_SECONDS, heartbeat=_HEARTBEAT_SECONDS
            )
        except CallFailedError:
            raise ChannelUnreachableError(LABEL) from None
        try:
            await self._greet(websocket)
        except BaseException:
            await websocket.close()
            raise
        socket = _Socket(websocket)
        self._sockets.append(socket)
        socket.reader = asyncio.create_task(self._read_all(socket))

    async def _greet(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        """Returns once Slack has greeted: from then on, it delivers events."""
        try:
            message = await websocket.receive(timeout=_OPEN_SECONDS)
        except TimeoutError:
            raise ChannelUnreachableError(LABEL) from None
        envelope = _envelope_of(message)
        if envelope is not None and envelope.type == "disconnect":
            raise _fault_of(envelope.reason) or ChannelUnreachableError(LABEL)
        if envelope is None or envelope.type != "hello":
            raise ChannelUnreachableError(LABEL)

    async def _read_all(self, socket: _Socket) -> None:
        try:
            async for message in socket.websocket:
                envelope = _envelope_of(message)
                if envelope is None:
                    _log.warning("a message of Slack's Socket Mode can't be understood and is ignored")
                elif envelope.type == "disconnect":
                    socket.retiring = True
                    self._fault = _fault_of(envelope.reason)
                    self._changed.set()
                elif envelope.envelope_id is not None:
                    await self._room.acquire()
                    socket.unconfirmed += 1
                    self._arrived.append((socket, envelope))
                    self._changed.set()
        finally:
            self._changed.set()


def _envelope_of(message: aiohttp.WSMessage) -> Envelope | None:
    if message.type is not aiohttp.WSMsgType.TEXT:
        return None
    try:
        return msgspec.json.decode(message.data, type=Envelope)
    except (msgspec.DecodeError, RecursionError):
        return None


def _fault_of(reason: str | None) -> Exception | None:
    if reason == _TURNED_OFF:
        return ChannelRefusedError(
            "Socket Mode of the Slack app is turned off", hint="Turn it on under Socket Mode of the app"
        )
    return PullConflictError() if reason == _TOO_MANY else None
