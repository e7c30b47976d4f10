"""A Telegram that behaves as its documentation says, for one bot: a real HTTP server with the Bot API."""

import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from support.upstream import DROP, Received, Reply, ScriptedUpstream, UpstreamThread, json_reply, upstream_in_thread

TOKEN = "123456789:AAF4kE-tokenOfTheScriptedPlatform01"
BOT_ID = 123456789
BOT_NAME = "demo_bot"
USER = {"id": 4711, "is_bot": False, "first_name": "Ada", "last_name": "Lovelace", "language_code": "en"}


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def refusal(code: int, description: str, **parameters: Any) -> Reply:
    body = {"ok": False, "error_code": code, "description": description}
    return json_reply(body | ({"parameters": parameters} if parameters else {}), status=code)


def success(result: Any) -> Reply:
    return json_reply({"ok": True, "result": result})


@dataclass(kw_only=True)
class Shown:
    """A message that users see."""

    chat: str
    text: str
    entities: list[dict[str, Any]] = field(default_factory=list)
    thread: int | None = None
    reply_to: int | None = None


class ScriptedTelegram:
    """The Bot API at `url` with one bot, its updates, its messages and its files.

    `faults` are the replies to the next calls of a method; None lets the call through.
    """

    def __init__(self, upstream: ScriptedUpstream | None = None) -> None:
        self.upstream = upstream or ScriptedUpstream()
        self.upstream.otherwise = self.respond
        self.messages: dict[int, Shown] = {}
        self.drafts: list[str] = []
        self.actions: list[Mapping[str, Any]] = []
        self.calls: list[str] = []
        self.faults: dict[str, deque[Reply | None]] = {}
        self.files: dict[str, bytes] = {}
        self.paths: dict[str, str] = {}
        self.webhook: dict[str, Any] = {"url": ""}
        self.webhook_error: str | None = None
        self.refuses_entities = False
        self.updates: list[dict[str, Any]] = []
        self._ids = iter(range(1, 1_000_000))
        self._updates = iter(range(900_001, 10_000_000))
        self._lock = threading.Lock()

    async def __aenter__(self) -> Self:
        await self.upstream.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.upstream.__aexit__(*error)

    @property
    def url(self) -> str:
        return self.upstream.url

    def fault(self, method: str, *replies: Reply | None) -> None:
        """Scripts the replies to the next calls of the method."""
        self.faults.setdefault(method, deque()).extend(replies)

    def texts(self, chat: str) -> list[str]:
        """Returns the texts that users see in a chat, in order."""
        return [message.text for _, message in sorted(self.messages.items()) if message.chat == chat]

    def update(self, *, kind: str = "message", **message: Any) -> dict[str, Any]:
        """Returns a new update with a message of Ada in a private chat; keyword arguments add and replace fields."""
        base = {
            "message_id": next(self._ids),
            "date": 1_780_000_000,
            "from": USER,
            "chat": {"id": 4711, "type": "private", "first_name": "Ada"},
        }
        return {"update_id": next(self._updates), kind: base | message}

    def deliver(self, *updates: dict[str, Any]) -> None:
        """Lets getUpdates return the updates until they are acknowledged."""
        with self._lock:
            self.updates.extend(updates)

    def add_file(self, content: bytes, *, name: str = "photos/file_1.jpg") -> str:
        file_id = f"file-{len(self.files) + 1}"
        self.files[name] = content
        self.paths[file_id] = name
        return file_id

    def respond(self, request: Received) -> Reply:
        path = request.path.partition("?")[0]
        if found := re.fullmatch(rf"/file/bot{re.escape(TOKEN)}/(.+)", path):
            return self._faulty("file") or self._file(found[1])
        found = re.fullmatch(r"/bot([^/]+)/(\w+)", path)
        if found is None or found[1] != TOKEN:
            return refusal(401, "Unauthorized")
        self.calls.append(found[2])
        if (reply := self._faulty(found[2])) is not None:
            return reply
        arguments = msgspec.json.decode(request.body or b"{}")
        respond = getattr(self, f"_{found[2]}", None)
        return refusal(404, "Not Found: method not found") if respond is None else respond(arguments)

    def _faulty(self, method: str) -> Reply | None:
        replies = self.faults.get(method)
        return replies.popleft() if replies else None

    def _file(self, path: str) -> Reply:
        content = self.files.get(path)
        return Reply(status=404) if content is None else Reply(pieces=(content,))

    def _getMe(self, _: Any) -> Reply:  # noqa: N802 - the name of the method
        return success({"id": BOT_ID, "is_bot": True, "first_name": "Demo", "username": BOT_NAME})

    def _getWebhookInfo(self, _: Any) -> Reply:  # noqa: N802
        info = {"url": self.webhook["url"], "has_custom_certificate": False, "pending_update_count": len(self.updates)}
        error = {"last_error_date": 1_780_000_000, "last_error_message": self.webhook_error}
        return success(info | (error if self.webhook_error else {}))

    def _setWebhook(self, arguments: dict[str, Any]) -> Reply:  # noqa: N802
        if not arguments["url"].startswith("https://"):
            return refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,256}", arguments["secret_token"])
        self.webhook = arguments
        return success(True)

    def _deleteWebhook(self, _: Any) -> Reply:  # noqa: N802
        self.webhook = {"url": ""}
        return success(True)

    def _getUpdates(self, arguments: dict[str, Any]) -> Reply:  # noqa: N802
        if self.webhook["url"]:
            return refusal(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook")
        with self._lock:
            offset = arguments.get("offset") or 0
            self.updates = [update for update in self.updates if update["update_id"] >= offset]
            waiting = list(self.updates[: arguments["limit"]])
        pause = () if waiting else (min(float(arguments["timeout"]), 0.2),)
        body = msgspec.json.encode({"ok": True, "result": waiting})
        return Reply(headers={"Content-Type": "application/json"}, pieces=(*pause, body), framing="chunked")

    def _sendMessage(self, arguments: dict[str, Any]) -> Reply:  # noqa: N802
        if (fault := self._text_fault(arguments)) is not None:
            return fault
        number = next(self._ids)
        self.messages[number] = Shown(
            chat=str(arguments["chat_id"]),
            text=arguments["text"],
            entities=arguments.get("entities", []),
            thread=arguments.get("message_thread_id"),
            reply_to=arguments.get("reply_parameters", {}).get("message_id"),
        )
        return success({"message_id": number, "date": 1_780_000_000, "chat": {"id": 4711, "type": "private"}})

    def _editMessageText(self, arguments: dict[str, Any]) -> Reply:  # noqa: N802
        message = self.messages.get(arguments["message_id"])
        if message is None:
            return refusal(400, "Bad Request: message to edit not found")
        if (fault := self._text_fault(arguments)) is not None:
            return fault
        entities = arguments.get("entities", [])
        if (message.text, message.entities) == (arguments["text"], entities):
            return refusal(400, "Bad Request: message is not modified")
        message.text, message.entities = arguments["text"], entities
        return success(True)

    def _text_fault(self, arguments: dict[str, Any]) -> Reply | None:
        text, entities = arguments["text"], arguments.get("entities", [])
        if not text.strip():
            return refusal(400, "Bad Request: message text is empty")
        if units(text) > 4_096:
            return refusal(400, "Bad Request: message is too long")
        if arguments.get("message_thread_id") == 1:
            return refusal(400, "Bad Request: message thread not found")
        broken = any(each["offset"] + each["length"] > units(text) or each["length"] < 1 for each in entities)
        if broken or (entities and self.refuses_entities):
            return refusal(400, "Bad Request: can't parse entities")
        return None

    def _sendMessageDraft(self, arguments: dict[str, Any]) -> Reply:  # noqa: N802
        assert arguments["draft_id"] != 0
        assert units(arguments["text"]) <= 4_096
        self.drafts.append(arguments["text"])
        return success(True)

    def _sendChatAction(self, arguments: dict[str, Any]) -> Reply:  # noqa: N802
        self.actions.append(arguments)
        return success(True)

    def _getFile(self, arguments: dict[str, Any]) -> Reply:  # noqa: N802
        path = self.paths.get(arguments["file_id"])
        if path is None:
            return refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        content = self.files.get(path, b"")
        if len(content) > 20 * 1024 * 1024:
            return refusal(400, "Bad Request: file is too big")
        identity = {"file_id": arguments["file_id"], "file_unique_id": "u"}
        return success(identity | {"file_size": len(content), "file_path": path})


LOST_RESPONSE = DROP
"""The reply to a call that Telegram may have taken."""


@contextmanager
def telegram_in_thread() -> Iterator[tuple[ScriptedTelegram, UpstreamThread]]:
    """Yields a scripted Telegram that runs in a thread, for servers in other processes."""
    with upstream_in_thread() as thread:
        yield ScriptedTelegram(thread.upstream), thread
