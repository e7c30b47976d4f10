"""A scripted Slack: the Web API, files and Socket Mode over real HTTP, with a workspace in memory."""

import asyncio
import itertools
import threading
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import aiohttp
import msgspec
from aiohttp import web

from support.patience import PATIENCE
from support.slack_events import BOT_ID, BOT_USER, TEAM, callback

BOT_TOKEN = "xoxb-hidden-bot-token"
APP_TOKEN = "xapp-hidden-app-token"
SCOPES = "chat:write,files:read,channels:history,groups:history,im:history,mpim:history,reactions:write"
_MAX_MARKDOWN = 12_000
_MAX_UPDATE = 4_000

Script = Callable[[Callable[[], dict[str, Any]]], Awaitable[web.StreamResponse]]


class Posted(msgspec.Struct):
    """A message of the bot."""

    channel: str
    thread: str | None
    text: str
    markdown: bool


def refusal(code: str) -> Script:
    """The method fails with Slack's error code."""

    async def respond(_: Callable[[], dict[str, Any]]) -> web.StreamResponse:
        return web.json_response({"ok": False, "error": code})

    return respond


def status(code: int, *, retry_after: str | None = None, carried_out: bool = False) -> Script:
    """The request fails with an HTTP status."""

    async def respond(carry_out: Callable[[], dict[str, Any]]) -> web.StreamResponse:
        if carried_out:
            carry_out()
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return web.json_response({"ok": False, "error": "ratelimited"}, status=code, headers=headers)

    return respond


async def lost(carry_out: Callable[[], dict[str, Any]]) -> web.StreamResponse:
    """The method is carried out, and the connection breaks off before the response."""
    carry_out()
    raise _Dropped


async def hanging(carry_out: Callable[[], dict[str, Any]]) -> web.StreamResponse:
    """The method is carried out, and the response never comes."""
    carry_out()
    await asyncio.Event().wait()
    raise AssertionError


class _Dropped(Exception):  # noqa: N818 - it isn't an error of the test
    pass


class SlackPlatform:
    """The workspace; `messages` are those that users see, by time stamp."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.scripts: dict[str, deque[Script]] = defaultdict(deque)
        """The behavior of the next calls of each method."""
        self.messages: dict[str, Posted] = {}
        self.files: dict[str, tuple[dict[str, Any], bytes]] = {}
        """The metadata and the content of files, by id."""
        self.downloads: list[Mapping[str, str]] = []
        """The headers of each request for a file."""
        self.signs_in = False
        """Whether requests for files get the page for signing in."""
        self.reactions: set[tuple[str, str, str]] = set()
        self.statuses: list[dict[str, Any]] = []
        self.scopes = SCOPES
        self.bot_id = BOT_ID
        self.refuses_markdown = False
        self.requests = 0
        self.socket_url: str | None = None
        """The server of sockets, if it isn't this one."""
        self.acknowledged: list[str] = []
        self.sockets: list[web.WebSocketResponse] = []
        """All sockets that were ever opened."""
        self.greeting: dict[str, Any] = {"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A0001"}}
        self.changed = asyncio.Event()
        self._numbers = itertools.count(1)
        self._unacknowledged: dict[str, dict[str, Any]] = {}
        self.url = ""

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_post("/api/{method}", self._call)
        application.router.add_get("/link", self._link)
        application.router.add_get("/files-pri/{id}/download/{name}", self._download)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self.open_sockets:
            await socket.close()
        await self._runner.cleanup()

    @property
    def open_sockets(self) -> list[web.WebSocketResponse]:
        return [socket for socket in self.sockets if not socket.closed]

    def called(self, method: str) -> list[dict[str, Any]]:
        """The arguments of each call of the method."""
        return [arguments for name, arguments in self.calls if name == method]

    def texts(self) -> list[str]:
        return [message.text for message in self.messages.values()]

    def add_file(self, metadata: dict[str, Any], content: bytes) -> None:
        name = metadata["name"]
        url = f"{self.url}/files-pri/{metadata['id']}/download/{name}"
        self.files[metadata["id"]] = ({**metadata, "url_private": url, "url_private_download": url}, content)

    async def deliver(self, event: dict[str, Any], **fields: Any) -> str:
        """Sends an event through the newest socket, and returns the id of its envelope."""
        envelope_id = f"envelope-{next(self._numbers)}"
        envelope = {
            "envelope_id": envelope_id,
            "type": "events_api",
            "accepts_response_payload": False,
            "retry_attempt": 0,
            "retry_reason": "",
            "payload": callback(event),
            **fields,
        }
        self._unacknowledged[envelope_id] = envelope
        for socket in self.open_sockets[-1:]:
            await socket.send_json(envelope)
        return envelope_id

    async def announce(self, reason: str, socket: web.WebSocketResponse) -> None:
        """Announces that Slack will close the socket."""
        await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "wss-0"}})

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()

    async def _call(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        method = request.match_info["method"]
        arguments = await request.json()
        self.calls.append((method, arguments))
        self.changed.set()
        if request.headers.get("Authorization") != f"Bearer {_token_for(method)}":
            return web.json_response({"ok": False, "error": "invalid_auth"})

        def carry_out() -> dict[str, Any]:
            return getattr(self, f"_{method.replace('.', '_')}")(arguments)  # type: ignore[no-any-return]

        if self.scripts[method]:
            try:
                return await self.scripts[method].popleft()(carry_out)
            except _Dropped:
                assert request.transport is not None
                request.transport.abort()
                raise
        result = carry_out()
        return web.json_response({"ok": "error" not in result, **result}, headers={"X-OAuth-Scopes": self.scopes})

    def _auth_test(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            "url": "https://example.slack.com/",
            "team": "Example",
            "user": "helper",
            "team_id": TEAM,
            "user_id": BOT_USER,
            "bot_id": self.bot_id,
        }

    def _apps_connections_open(self, _: dict[str, Any]) -> dict[str, Any]:
        server = (self.socket_url or self.url).replace("http", "ws", 1)
        return {"url": f"{server}/link?ticket={next(self._numbers)}"}

    def _chat_postMessage(self, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        error = self._text_error(arguments, max_text=40_000)
        if error:
            return {"error": error}
        ts = f"1700000100.{next(self._numbers):06}"
        self.messages[ts] = _posted(arguments, arguments.get("thread_ts"))
        self.changed.set()
        return {"channel": arguments["channel"], "ts": ts}

    def _chat_update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        before = self.messages.get(arguments["ts"])
        if before is None:
            return {"error": "message_not_found"}
        error = self._text_error(arguments, max_text=_MAX_UPDATE)
        if error:
            return {"error": error}
        self.messages[arguments["ts"]] = _posted(arguments, before.thread)
        return {"channel": arguments["channel"], "ts": arguments["ts"]}

    def _text_error(self, arguments: dict[str, Any], *, max_text: int) -> str | None:
        text, markdown = arguments.get("text"), arguments.get("markdown_text")
        if text is not None and markdown is not None:
            return "markdown_text_conflict"
        if markdown is not None and self.refuses_markdown:
            return "invalid_blocks"
        if not text and not markdown:
            return "no_text"
        if len(markdown or "") > _MAX_MARKDOWN or len(text or "") > max_text:
            return "msg_too_long"
        return None

    def _chat_delete(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {} if self.messages.pop(arguments["ts"], None) else {"error": "message_not_found"}

    def _reactions_add(self, arguments: dict[str, Any]) -> dict[str, Any]:
        reaction = (arguments["channel"], arguments["timestamp"], arguments["name"])
        known = reaction in self.reactions
        self.reactions.add(reaction)
        return {"error": "already_reacted"} if known else {}

    def _assistant_threads_setStatus(self, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.statuses.append(arguments)
        return {}

    def _files_info(self, arguments: dict[str, Any]) -> dict[str, Any]:
        found = self.files.get(arguments["file"])
        return {"error": "file_not_found"} if found is None else {"file": found[0]}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        self.downloads.append(request.headers)
        metadata, content = self.files[request.match_info["id"]]
        if self.signs_in or request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            return web.Response(text="<html>Sign in</html>", content_type="text/html")
        return web.Response(body=content, content_type=metadata["mimetype"])

    async def _link(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        if self.greeting["type"] != "silence":
            await socket.send_json(self.greeting)
        if self.greeting["type"] == "hello":
            for envelope in list(self._unacknowledged.values()):
                await socket.send_json({**envelope, "retry_attempt": 1, "retry_reason": "timeout"})
        self.changed.set()
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                envelope_id = message.json()["envelope_id"]
                self._unacknowledged.pop(envelope_id, None)
                self.acknowledged.append(envelope_id)
                self.changed.set()
        self.changed.set()
        return socket


def _token_for(method: str) -> str:
    return APP_TOKEN if method.startswith("apps.") else BOT_TOKEN


def _posted(arguments: dict[str, Any], thread: str | None) -> Posted:
    markdown = arguments.get("markdown_text")
    return Posted(
        channel=arguments["channel"],
        thread=thread,
        text=arguments["text"] if markdown is None else markdown,
        markdown=markdown is not None,
    )


@contextmanager
def slack_in_thread() -> Iterator[SlackPlatform]:
    """Yields a scripted Slack that runs in a thread, for tests without an event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    slack = SlackPlatform()
    try:
        yield asyncio.run_coroutine_threadsafe(slack.__aenter__(), loop).result(PATIENCE)
        asyncio.run_coroutine_threadsafe(slack.__aexit__(), loop).result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
