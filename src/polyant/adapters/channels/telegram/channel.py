"""Telegram as a channel."""

import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from polyant.adapters.channels.platform_hosts import PlatformHosts
from polyant.adapters.channels.platform_http import PlatformHttp
from polyant.adapters.channels.telegram.bot_api import DEFAULT_URL, BotApi
from polyant.adapters.channels.telegram.bot_setup import BotSetup
from polyant.adapters.channels.telegram.files import Files
from polyant.adapters.channels.telegram.messages import Messages
from polyant.adapters.channels.telegram.update_source import UpdateSource
from polyant.adapters.channels.telegram.updates import Bot, NotAnUpdateError, read_update
from polyant.domain.channel_events import InboundBatch, MediaReference, WebhookRefusedError, WebhookRequest
from polyant.domain.channel_info import AccountState, ChannelInfo, Credential, SetUp, TearDown
from polyant.domain.channel_sends import Chunk, FetchOutcome, Progress, SendOutcome
from polyant.domain.channels import ChannelAccess, ChannelAccount, Delivery
from polyant.domain.injectables import Environ
from polyant.domain.ports.channel import Channel, EventSource
from polyant.domain.proxies import ProxyRules

_SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - the name of a header
_WRONG_SECRET = "the secret token is another one"  # noqa: S105 - a message
TOKEN_PATTERN = re.compile(r"\A[0-9]{1,20}:[A-Za-z0-9_-]{20,200}\Z")
"""The form of a bot's token; its beginning is the bot's id."""


class TelegramChannel(Channel):
    """Talks to users of Telegram bots.

    `TELEGRAM_API_URL` in the environment names the base URL of another Bot API server.

    Args:
        http: The session for all calls.
        environ: The environment.
        proxies: The operator's proxies.
    """

    info = ChannelInfo(
        name="telegram",
        label="Telegram",
        credentials=(
            Credential(name="token", label="Bot token", help="@BotFather shows it after /newbot, and with /token"),
            Credential(name="webhook_secret", label="Webhook secret", generated=True),
        ),
        access=ChannelAccess.PAIRING,
        accesses=(ChannelAccess.PAIRING, ChannelAccess.ALLOW_LIST, ChannelAccess.EVERYBODY),
        deliveries=(Delivery.WEBHOOK, Delivery.PULL),
        max_units=4_096,
        utf16=True,
        typing_seconds=5.0,
        draft_seconds=1.0,
    )

    def __init__(self, *, http: aiohttp.ClientSession, environ: Environ, proxies: ProxyRules) -> None:
        url = environ.get("TELEGRAM_API_URL", "").strip() or DEFAULT_URL
        platform = PlatformHttp(
            session=http, proxies=proxies, hosts=PlatformHosts(origins=("/".join(url.split("/")[:3]),))
        )
        self._api = BotApi(http=platform, url=url)
        self._setup = BotSetup(api=self._api)
        self._messages = Messages(api=self._api)
        self._files = Files(api=self._api, http=platform)

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
        return await self._setup.check(account, change)

    def receive(self, account: ChannelAccount, request: WebhookRequest) -> InboundBatch:
        given = request.headers.get(_SECRET_HEADER, "").encode()
        expected = account.credentials["webhook_secret"].reveal().encode()
        if not hmac.compare_digest(given, expected):
            raise WebhookRefusedError(forged=True, reason="the secret token is missing" if not given else _WRONG_SECRET)
        try:
            _, event = read_update(request.body, bot_of(account))
        except NotAnUpdateError:
            raise WebhookRefusedError(forged=False) from None
        return InboundBatch(ignored=1) if event is None else InboundBatch(events=(event,))

    @asynccontextmanager
    async def pull(self, account: ChannelAccount) -> AsyncIterator[EventSource]:
        yield UpdateSource(api=self._api, token=account.credentials["token"], bot=bot_of(account))

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        return await self._messages.send(account.credentials["token"], chunk)

    async def fetch(self, account: ChannelAccount, media: MediaReference, *, max_bytes: int) -> FetchOutcome:
        return await self._files.fetch(account.credentials["token"], media, max_bytes=max_bytes)

    async def show_progress(self, account: ChannelAccount, progress: Progress) -> str | None:
        return await self._messages.show_progress(account.credentials["token"], progress)


def bot_of(account: ChannelAccount) -> Bot:
    """Returns the bot of an account."""
    return Bot(account.connection.account, account.connection.account_name.removeprefix("@"))
