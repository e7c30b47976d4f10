"""The Channel for Slack."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from polyant.adapters.channels.platform_hosts import PlatformHosts
from polyant.adapters.channels.platform_http import PlatformHttp
from polyant.adapters.channels.slack.account_check import LABEL, SlackAccountCheck
from polyant.adapters.channels.slack.api import SlackApi
from polyant.adapters.channels.slack.events import SlackAccount, read_callback
from polyant.adapters.channels.slack.files import SlackFiles
from polyant.adapters.channels.slack.messages import MAX_MARKDOWN_CHARACTERS, SlackMessages
from polyant.adapters.channels.slack.progress import SlackProgress
from polyant.adapters.channels.slack.signature import verify
from polyant.adapters.channels.slack.socket_source import SlackSocketSource
from polyant.domain.channel_events import InboundBatch, MediaReference, WebhookRequest
from polyant.domain.channel_info import AccountState, ChannelInfo, Credential, SetUp, TearDown
from polyant.domain.channel_sends import Ambiguous, Chunk, FetchOutcome, Progress, SendOutcome
from polyant.domain.channels import ChannelAccess, ChannelAccount, Delivery
from polyant.domain.injectables import Environ
from polyant.domain.ports.channel import Channel, EventSource
from polyant.domain.ports.clock import Clock
from polyant.domain.proxies import ProxyRules
from polyant.domain.secrets import SecretText

API = "https://slack.com/api"
HOSTS = PlatformHosts("slack.com", "slack-files.com")

_INFO = ChannelInfo(
    name="slack",
    label=LABEL,
    credentials=(
        Credential(
            name="token",
            label="Bot User OAuth Token",
            help="OAuth & Permissions of the app, after it is installed; begins with xoxb-",
        ),
        Credential(
            name="app_token",
            label="App-Level Token",
            help="Basic Information of the app, with the scope connections:write; begins with xapp-",
            needed_for=Delivery.PULL,
        ),
        Credential(
            name="signing_secret",
            label="Signing Secret",
            help="Basic Information of the app, under App Credentials",
            needed_for=Delivery.WEBHOOK,
        ),
    ),
    access=ChannelAccess.WORKSPACE,
    accesses=(ChannelAccess.WORKSPACE, ChannelAccess.PAIRING, ChannelAccess.ALLOW_LIST, ChannelAccess.EVERYBODY),
    deliveries=(Delivery.PULL, Delivery.WEBHOOK),
    max_units=MAX_MARKDOWN_CHARACTERS,
    command_prefix="!",  # Slack keeps messages that begin with a slash for itself
    typing_seconds=110.0,  # Slack removes a status after two minutes
    draft_seconds=1.2,  # Slack allows 50 updates a minute
)


class SlackChannel(Channel):
    """Speaks Slack's Events API, Socket Mode and Web API.

    Args:
        http: The session that all providers share.
        clock: Checks the age of requests, and measures pauses.
        proxies: The operator's proxies.
        environ: The environment; tests name another server in `SLACK_API_URL`, which then alone gets the tokens.
    """

    info = _INFO

    def __init__(self, *, http: aiohttp.ClientSession, clock: Clock, proxies: ProxyRules, environ: Environ) -> None:
        url = environ.get("SLACK_API_URL", "").strip()
        hosts = PlatformHosts(origins=("/".join(url.split("/")[:3]),)) if url else HOSTS
        self._clock = clock
        self._http = PlatformHttp(session=http, proxies=proxies, hosts=hosts)
        self._api = SlackApi(self._http, url=url or API)
        self._messages = SlackMessages(self._api)
        self._progress = SlackProgress(api=self._api, messages=self._messages, clock=clock)
        self._files = SlackFiles(api=self._api, http=self._http)
        self._check = SlackAccountCheck(self._api)

    async def check(self, account: ChannelAccount, change: SetUp | TearDown | None = None) -> AccountState:
        return await self._check.check(account, change)

    def receive(self, account: ChannelAccount, request: WebhookRequest) -> InboundBatch:
        verify(request, secret=_credential(account, "signing_secret").reveal(), now=self._clock.now())
        return read_callback(request.body, SlackAccount.parse(account.connection.account))

    @asynccontextmanager
    async def pull(self, account: ChannelAccount) -> AsyncIterator[EventSource]:
        source = SlackSocketSource(
            api=self._api,
            http=self._http,
            account=SlackAccount.parse(account.connection.account),
            token=_credential(account, "app_token"),
        )
        try:
            yield source
        finally:
            await source.close()

    async def send(self, account: ChannelAccount, chunk: Chunk) -> SendOutcome:
        try:
            async with asyncio.timeout(self.info.send_seconds):
                return await self._messages.send(_token(account), chunk)
        except TimeoutError:
            return Ambiguous("no response")

    async def fetch(self, account: ChannelAccount, media: MediaReference, *, max_bytes: int) -> FetchOutcome:
        return await self._files.fetch(_token(account), media, max_bytes=max_bytes)

    async def show_progress(self, account: ChannelAccount, progress: Progress) -> str | None:
        return await self._progress.show(account.connection.account, _token(account), progress)


def _token(account: ChannelAccount) -> str:
    return _credential(account, "token").reveal()


def _credential(account: ChannelAccount, name: str) -> SecretText:
    """Returns a credential; an empty one, which every check refuses, if it is missing."""
    return account.credentials.get(name) or SecretText("")
