"""The Channel for WhatsApp."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from polyant.adapters.channels.platform_hosts import PlatformHosts
from polyant.adapters.channels.platform_http import CallFailedError, PlatformHttp
from polyant.adapters.channels.whatsapp.events import read_notification
from polyant.adapters.channels.whatsapp.formatting import MAX_CHARACTERS, format_text
from polyant.adapters.channels.whatsapp.graph_api import GraphApi
from polyant.adapters.channels.whatsapp.media import WhatsAppMedia
from polyant.adapters.channels.whatsapp.number_check import LABEL, WhatsAppNumberCheck
from polyant.adapters.channels.whatsapp.signature import answer_verification, verify
from polyant.domain.channel_events import InboundBatch, MediaReference, WebhookRequest
from polyant.domain.channel_info import AccountState, ChannelInfo, ChannelRefusedError, Credential, SetUp, TearDown
from polyant.domain.channel_sends import Ambiguous, Chunk, FetchOutcome, NotSent, Progress, SendOutcome
from polyant.domain.channels import ChannelAccess, ChannelAccount, Delivery
from polyant.domain.injectables import Environ
from polyant.domain.ports.channel import Channel, EventSource
from polyant.domain.ports.clock import Clock
from polyant.domain.proxies import ProxyRules

API = "https://graph.facebook.com/v25.0"
HOSTS = PlatformHosts("facebook.com", "fbsbx.com", "fbcdn.net", "whatsapp.net")

_SEND_SECONDS = 19.0
_PROGRESS_SECONDS = 5.0
_INFO = ChannelInfo(
    name="whatsapp",
    label=LABEL,
    credentials=(
        Credential(
            name="token",
            label="Access token",
            help="Business settings, System users: a permanent token with whatsapp_business_messaging and "
            "whatsapp_business_management",
        ),
        Credential(name="app_secret", label="App secret", help="App settings, Basic"),
        Credential(
            name="verify_token",
            label="Verify token",
            help="Any text that nobody can guess; Meta sends it when it verifies the webhook",
        ),
    ),
    options=(
        Credential(name="phone_number_id", label="Phone number ID", help="WhatsApp, API Setup"),
        Credential(
            name="business_account_id",
            label="WhatsApp Business Account ID",
            help="WhatsApp, API Setup; lets Polyant subscribe the app to the account's events",
            required=False,
        ),
    ),
    access=ChannelAccess.ALLOW_LIST,
    accesses=(ChannelAccess.ALLOW_LIST, ChannelAccess.PAIRING, ChannelAccess.EVERYBODY),
    deliveries=(Delivery.WEBHOOK,),
    max_units=MAX_CHARACTERS,
    typing_seconds=20.0,  # WhatsApp clears the indicator after 25 s
)


class WhatsAppChannel(Channel):
    """Speaks Meta's Cloud API for WhatsApp.

    Args:
        http: The session that all providers share.
        clock: Waits while a webhook is set up.
        proxies: The operator's proxies.
        environ: The environment; tests name another server in `WHATSAPP_API_URL`, which then alone gets the tokens.
    """

    info = _INFO

    def __init__(self, *, http: aiohttp.ClientSession, clock: Clock, proxies: ProxyRules, environ: Environ) -> None:
        url = environ.get("WHATSAPP_API_URL", "").strip()
        hosts = PlatformHosts(origins=("/".join(url.split("/")[:3]),)) if url else HOSTS
        platform = PlatformHttp(session=http, proxies=proxies, hosts=hosts)
        self._api = GraphApi(platform, url=url or API)
        self._media = WhatsAppMedia(api=self._api, http=platform)
        self._check = WhatsAppNumberCheck(self._api, clock)

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
        return await self._check.check(account, change)

    def receive(self, account: ChannelAccount, request: WebhookRequest) -> InboundBatch:
        if request.method == "GET":
            return answer_verification(request, verify_token=_credential(account, "verify_token"))
        verify(request, app_secret=_credential(account, "app_secret"))
        return read_notification(request.body, account.connection.account)

    @asynccontextmanager
    async def pull(self, account: ChannelAccount) -> AsyncIterator[EventSource]:  # noqa: ARG002 - none can be pulled
        yield _NoSource()

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        text = {"preview_url": False, "body": format_text(chunk.text)}
        try:
            reply = await self._api.post(
                _messages(account),
                _token(account),
                seconds=_SEND_SECONDS,
                messaging_product="whatsapp",
                recipient_type="individual",
                **_recipient(chunk.peer.chat),
                type="text",
                text=text,
            )
        except CallFailedError as error:
            return Ambiguous("no response") if error.may_have_arrived else NotSent(1.0)
        return reply.outcome

    async def fetch(self, account: ChannelAccount, media: MediaReference, *, max_bytes: int) -> FetchOutcome:
        number = account.connection.account
        return await self._media.fetch(_token(account), media, phone_number_id=number, max_bytes=max_bytes)

    async def show_progress(self, account: ChannelAccount, progress: Progress) -> str | None:
        if not progress.text and progress.message_id:
            with contextlib.suppress(CallFailedError):  # it is only an announcement
                await self._api.post(
                    _messages(account),
                    _token(account),
                    seconds=_PROGRESS_SECONDS,
                    messaging_product="whatsapp",
                    status="read",
                    message_id=progress.message_id,
                    typing_indicator={"type": "text"},
                )
        return None


class _NoSource(EventSource):
    async def receive(self, seconds: float) -> InboundBatch:  # noqa: ARG002 - it never waits
        raise ChannelRefusedError("WhatsApp delivers events to webhooks only")


def _token(account: ChannelAccount) -> str:
    return _credential(account, "token")


def _credential(account: ChannelAccount, name: str) -> str:
    """Returns a credential; an empty one, which every check refuses, if it is missing."""
    secret = account.credentials.get(name)
    return "" if secret is None else secret.reveal()


def _messages(account: ChannelAccount) -> str:
    return f"{account.connection.account}/messages"


def _recipient(chat: str) -> dict[str, Any]:
    """Returns the argument that names the user: a phone number, or the id of a user with a username."""
    return {"to": chat} if chat.isdecimal() else {"recipient": chat}
