"""The WhatsApp channel, connected to a scripted WhatsApp."""

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from polyant.adapters.channels.whatsapp.channel import WhatsAppChannel
from polyant.domain.channel_events import Peer, WebhookRequest
from polyant.domain.channels import ChannelAccess, ChannelAccount, ChannelName
from polyant.domain.injectables import Environ
from polyant.domain.proxies import ProxyRules
from polyant.domain.secrets import SecretText
from polyant.testing.channel import Fault, wrong_secrets
from polyant.testing.channel_connection_factory import connection_of
from polyant.testing.instant_clock import InstantClock
from support.upstream import DROP, Reply
from support.whatsapp_events import APP_SECRET, NUMBER, VERIFY_TOKEN, message, notification, signed, value
from support.whatsapp_platform import TOKEN, WhatsAppPlatform, error

ACCOUNT = ChannelAccount(
    connection=connection_of(
        channel=ChannelName("whatsapp"),
        account=NUMBER,
        options={"phone_number_id": NUMBER},
        access=ChannelAccess.ALLOW_LIST,
    ),
    credentials={
        "token": SecretText(TOKEN),
        "app_secret": SecretText(APP_SECRET),
        "verify_token": SecretText(VERIFY_TOKEN),
    },
)
REPLIES: Mapping[Fault, Reply] = {
    Fault.BUSY: error(130_429, http=429, retry_after="7"),
    Fault.REFUSAL: error(131_047),
    Fault.SERVER_ERROR: Reply(status=502, pieces=(b"<html>Bad Gateway</html>",)),
    Fault.LOST_RESPONSE: DROP,
    Fault.GONE: error(100, message="Unsupported get request. Object with ID '1' does not exist"),
}
CALLS = {"send": "send", "fetch": "media", "check": "number", "progress": "read"}


class WhatsAppRig:
    """A rig for the contract."""

    account = ACCOUNT
    wrong_account = wrong_secrets(ACCOUNT)
    has_quotes = False

    def __init__(self, whatsapp: WhatsAppPlatform, http: aiohttp.ClientSession) -> None:
        self.whatsapp = whatsapp
        environ = Environ({"WHATSAPP_API_URL": whatsapp.url})
        self.channel = WhatsAppChannel(http=http, clock=InstantClock(), environ=environ, proxies=ProxyRules())
        self._numbers = itertools.count(1)

    def request(self, kind: str, *, name: str = "Ada", **fields: Any) -> WebhookRequest:
        content = message(kind, f"wamid.in.{next(self._numbers)}", **fields)
        return signed(notification(value(content, name=name)))

    def message(
        self, text: str, *, peer: Peer | None = None, name: str = "Ada", quote: str | None = None
    ) -> WebhookRequest:
        fields: dict[str, Any] = {"text": {"body": text}}
        if peer is not None:
            fields["from"] = peer.chat
        assert quote is None, "WhatsApp names the message that is replied to, without its text"
        return self.request("text", name=name, **fields)

    def media_message(self, content: bytes, *, file_name: str) -> WebhookRequest:
        media_id = self.whatsapp.add_media(content)
        document = {"id": media_id, "filename": file_name, "mime_type": "application/pdf", "sha256": "x"}
        return self.request("document", document=document)

    def own_message(self) -> WebhookRequest | None:
        return None

    def malformed(self) -> WebhookRequest:
        return signed(b'{"object": 1')

    async def fault(self, call: str, fault: Fault) -> None:
        # The HTTP client repeats a GET once if the connection is lost.
        times = 2 if fault is Fault.LOST_RESPONSE and call in {"fetch", "check"} else 1
        self.whatsapp.faults[CALLS[call]].extend([REPLIES[fault]] * times)

    async def refuse_formatting(self) -> None:
        """WhatsApp takes every text: what isn't its markup is shown as it is."""

    async def stop(self) -> None:
        await self.whatsapp.__aexit__()

    async def deliver(self, request: WebhookRequest) -> None:
        raise AssertionError("WhatsApp's events can't be pulled")

    def texts(self, peer: Peer) -> Sequence[str]:
        return [shown.text for shown in self.whatsapp.messages if shown.recipient == peer.chat]

    def typing(self) -> int:
        return sum(receipt.get("typing_indicator") == {"type": "text"} for receipt in self.whatsapp.read)

    def requests(self) -> int:
        return len(self.whatsapp.upstream.requests)

    def setup(self) -> object:
        return dict(self.whatsapp.callbacks), self.whatsapp.subscribed


@asynccontextmanager
async def whatsapp_rig() -> AsyncIterator[WhatsAppRig]:
    """Yields a rig with an empty platform."""
    async with WhatsAppPlatform() as whatsapp, aiohttp.ClientSession() as http:
        yield WhatsAppRig(whatsapp, http)
