"""The Telegram channel, connected to a scripted Telegram."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from polyant.adapters.channels.telegram.channel import TelegramChannel
from polyant.domain.channel_events import Peer, WebhookRequest
from polyant.domain.channels import ChannelAccount, ChannelName
from polyant.domain.injectables import Environ
from polyant.domain.proxies import ProxyRules
from polyant.domain.secrets import SecretText
from polyant.testing.channel import Fault, wrong_secrets
from polyant.testing.channel_connection_factory import connection_of
from support.scripted_telegram import BOT_ID, BOT_NAME, LOST_RESPONSE, TOKEN, USER, ScriptedTelegram, refusal
from support.upstream import Reply

SECRET = "webhookSecretOfTheScriptedPlatform_123456789"
ACCOUNT = ChannelAccount(
    connection=connection_of(channel=ChannelName("telegram"), account=str(BOT_ID), account_name=f"@{BOT_NAME}"),
    credentials={"token": SecretText(TOKEN), "webhook_secret": SecretText(SECRET)},
)
REPLIES = {
    Fault.BUSY: refusal(429, "Too Many Requests: retry after 7", retry_after=7),
    Fault.REFUSAL: refusal(403, "Forbidden: bot was blocked by the user"),
    Fault.SERVER_ERROR: Reply(status=502, pieces=(b"<html>Bad Gateway</html>",)),
    Fault.LOST_RESPONSE: LOST_RESPONSE,
    Fault.GONE: refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable"),
}
METHODS = {
    "send": ("sendMessage",),
    "fetch": ("getFile",),
    "check": ("getMe",),
    "progress": ("sendChatAction", "sendMessageDraft"),
}


class TelegramRig:
    """A rig for the contract."""

    account = ACCOUNT
    wrong_account = wrong_secrets(ACCOUNT)
    has_quotes = True

    def __init__(self, telegram: ScriptedTelegram, http: aiohttp.ClientSession) -> None:
        self.telegram = telegram
        self.http = http
        environ = Environ({"TELEGRAM_API_URL": telegram.url})
        self.channel = TelegramChannel(http=http, environ=environ, proxies=ProxyRules())

    def request(self, update: dict[str, object]) -> WebhookRequest:
        headers = {"x-telegram-bot-api-secret-token": SECRET, "content-type": "application/json"}
        return WebhookRequest(method="POST", headers=headers, body=msgspec.json.encode(update))

    def message(
        self, text: str, *, peer: Peer | None = None, name: str = "Ada", quote: str | None = None
    ) -> WebhookRequest:
        fields: dict[str, Any] = {"text": text, "from": USER | {"first_name": name, "last_name": ""}}
        if peer is not None:
            fields["chat"] = {"id": int(peer.chat), "type": "private"}
        if quote is not None:
            replied = {"message_id": 1, "chat": {"id": 4711, "type": "private"}, "from": USER, "text": quote}
            fields["reply_to_message"] = replied
        return self.request(self.telegram.update(**fields))

    def media_message(self, content: bytes, *, file_name: str) -> WebhookRequest:
        file_id = self.telegram.add_file(content, name=f"documents/file_{len(self.telegram.files)}.pdf")
        document = {
            "file_id": file_id,
            "file_name": file_name,
            "mime_type": "application/pdf",
            "file_size": len(content),
        }
        return self.request(self.telegram.update(document=document))

    def own_message(self) -> WebhookRequest | None:
        fields: dict[str, Any] = {"text": "hi", "from": {"id": BOT_ID, "is_bot": True}}
        return self.request(self.telegram.update(**fields))

    def malformed(self) -> WebhookRequest:
        return msgspec.structs.replace(self.message("x"), body=b'{"update_id": "x"')

    async def fault(self, call: str, fault: Fault) -> None:
        for method in METHODS[call]:
            self.telegram.faults.pop(method, None)
            self.telegram.fault(method, REPLIES[fault])

    async def refuse_formatting(self) -> None:
        self.telegram.refuses_entities = True

    async def stop(self) -> None:
        await self.telegram.upstream.__aexit__()

    async def deliver(self, request: WebhookRequest) -> None:
        self.telegram.deliver(msgspec.json.decode(request.body))

    def texts(self, peer: Peer) -> Sequence[str]:
        return self.telegram.texts(peer.chat)

    def typing(self) -> int:
        return sum(action["action"] == "typing" for action in self.telegram.actions)

    def requests(self) -> int:
        return len(self.telegram.upstream.requests)

    def setup(self) -> object:
        return dict(self.telegram.webhook)


@asynccontextmanager
async def telegram_rig() -> AsyncIterator[TelegramRig]:
    """Yields a rig with an empty platform."""
    async with ScriptedTelegram() as telegram, aiohttp.ClientSession() as http:
        yield TelegramRig(telegram, http)
