"""A scripted WhatsApp: the Graph API and media over real HTTP, with one phone number in memory."""

import hashlib
import hmac
import itertools
from collections import deque
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import msgspec

from support.upstream import DROP, Received, Reply, ScriptedUpstream, json_reply
from support.whatsapp_events import APP_SECRET, BUSINESS, NUMBER

TOKEN = "EAAhidden-access-token"


class Shown(msgspec.Struct):
    """A message that the business sent."""

    recipient: str
    text: str


def error(code: int, *, http: int = 400, retry_after: str | None = None, message: str = "") -> Reply:
    """Returns an error of the Graph API."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    content = {
        "message": message or f"(#{code}) Something about +{NUMBER}",
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": "Something about a user"},
        "fbtrace_id": "Az8or2yhqkZfEZ",
    }
    return json_reply({"error": content}, status=http, headers=headers)


class WhatsAppPlatform:
    """The platform; `messages` are those that users see, in order."""

    def __init__(self, upstream: ScriptedUpstream | None = None) -> None:
        self.upstream = upstream or ScriptedUpstream()
        self.upstream.otherwise = self._respond
        self.faults: dict[str, deque[Reply]] = {"send": deque(), "read": deque(), "media": deque(), "number": deque()}
        """The replies to the next calls of each kind, which aren't carried out."""
        self.carries_out_lost_calls = False
        self.messages: list[Shown] = []
        self.read: list[dict[str, Any]] = []
        """The read receipts, with or without the typing indicator."""
        self.media: dict[str, tuple[dict[str, Any], bytes]] = {}
        self.downloads: list[Received] = []
        self.callbacks: dict[str, str] = {}
        self.subscribed = False
        self.subscription_error: Reply | None = None
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Self:
        await self.upstream.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.upstream.__aexit__()

    @property
    def url(self) -> str:
        return f"{self.upstream.url}/v25.0"

    def add_media(self, content: bytes, *, mime_type: str = "application/pdf", **fields: Any) -> str:
        """Stores media, and returns their id."""
        media_id = f"{1_000_000 + next(self._numbers)}"
        description = {
            "messaging_product": "whatsapp",
            "url": f"{self.upstream.url}/whatsapp_business/attachments/?mid={media_id}&ext=1&hash=x",
            "mime_type": mime_type,
            "sha256": hashlib.sha256(content).hexdigest(),
            "file_size": len(content),
            "id": media_id,
            **fields,
        }
        self.media[media_id] = (description, content)
        return media_id

    def _respond(self, request: Received) -> Reply:
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix("/v25.0/")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return error(190, http=401)
        if parts.path == "/whatsapp_business/attachments/":
            self.downloads.append(request)
            return Reply(headers={"Content-Type": "application/octet-stream"}, pieces=(self.media[query["mid"]][1],))
        if path == f"{NUMBER}/messages":
            return self._message(request.json())
        if path == NUMBER:
            return self._faulty("number") or self._number(request, query)
        if path == f"{BUSINESS}/subscribed_apps":
            return self.subscription_error or self._subscription(request)
        return self._faulty("media") or self._media(path)

    def _faulty(self, call: str) -> Reply | None:
        return self.faults[call].popleft() if self.faults[call] else None

    def _message(self, arguments: dict[str, Any]) -> Reply:
        assert arguments["messaging_product"] == "whatsapp"
        if arguments.get("status") == "read":
            fault = self._faulty("read")
            if fault is None:
                self.read.append(arguments)
            return fault or json_reply({"success": True})
        fault = self._faulty("send")
        if fault is not None and not (fault is DROP and self.carries_out_lost_calls):
            return fault
        body = arguments["text"]["body"]
        if not 1 <= len(body) <= 4_096:
            return error(100)
        recipient = arguments.get("to") or arguments["recipient"]
        self.messages.append(Shown(recipient, body))
        sent = {
            "messaging_product": "whatsapp",
            "contacts": [{"input": recipient, "wa_id": recipient}],
            "messages": [{"id": f"wamid.{next(self._numbers)}"}],
        }
        return fault or json_reply(sent)

    def _number(self, request: Received, query: dict[str, str]) -> Reply:
        if request.method == "POST":
            configuration = request.json()["webhook_configuration"]
            self.callbacks["phone_number"] = configuration["override_callback_uri"]
            self.callbacks["token"] = configuration.get("verify_token", "")
            return json_reply({"success": True})
        proof = hmac.new(APP_SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
        if query.get("appsecret_proof", proof) != proof:
            return error(100, message="Invalid appsecret_proof provided in the API argument")
        addresses = {name: url for name, url in self.callbacks.items() if name != "token" and url}
        number = {"display_phone_number": "+1 555-078-3881", "verified_name": "Lucky Shrub", "id": NUMBER}
        return json_reply({**number, **({"webhook_configuration": addresses} if addresses else {})})

    def _subscription(self, request: Received) -> Reply:
        if request.method == "POST":
            self.subscribed = True
            return json_reply({"success": True})
        data = [{"whatsapp_business_api_data": {"id": "1", "name": "App"}}] if self.subscribed else []
        return json_reply({"data": data})

    def _media(self, media_id: str) -> Reply:
        found = self.media.get(media_id)
        return json_reply(found[0]) if found else error(100, message="Object does not exist")
