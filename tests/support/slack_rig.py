"""The Slack channel, connected to a scripted Slack."""

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import aiohttp
import msgspec

from polyant.adapters.channels.slack.channel import SlackChannel
from polyant.domain.channel_events import Peer, WebhookRequest
from polyant.domain.channels import ChannelAccess, ChannelAccount, ChannelName, Delivery
from polyant.domain.injectables import Environ
from polyant.domain.proxies import ProxyRules
from polyant.domain.secrets import SecretText
from polyant.testing.channel import Fault, wrong_secrets
from polyant.testing.channel_connection_factory import connection_of
from polyant.testing.manual_clock import ManualClock
from support.slack_events import BOT_ID, BOT_USER, DIRECT, TEAM, callback, file_of, message, signed
from support.slack_platform import APP_TOKEN, BOT_TOKEN, Script, SlackPlatform, lost, refusal, status

SECRET = "8f742231b10e8888abcd99fff00085a5"
ACCOUNT = ChannelAccount(
    connection=connection_of(
        channel=ChannelName("slack"),
        account=f"{TEAM}:{BOT_USER}",
        delivery=Delivery.PULL,
        options={},
        access=ChannelAccess.WORKSPACE,
    ),
    credentials={
        "token": SecretText(BOT_TOKEN),
        "app_token": SecretText(APP_TOKEN),
        "signing_secret": SecretText(SECRET),
    },
)
SCRIPTS: Mapping[Fault, Script] = {
    Fault.BUSY: status(429, retry_after="7"),
    Fault.REFUSAL: refusal("channel_not_found"),
    Fault.SERVER_ERROR: status(502),
    Fault.LOST_RESPONSE: lost,
    Fault.GONE: refusal("file_deleted"),
}
METHODS = {
    "send": ("chat.postMessage",),
    "fetch": ("files.info",),
    "check": ("auth.test",),
    "progress": ("reactions.add", "chat.postMessage"),
}


class SlackRig:
    """A rig for the contract."""

    account = ACCOUNT
    wrong_account = wrong_secrets(ACCOUNT)
    has_quotes = True

    def __init__(self, slack: SlackPlatform, http: aiohttp.ClientSession) -> None:
        self.slack = slack
        self.clock = ManualClock()
        environ = Environ({"SLACK_API_URL": f"{slack.url}/api"})
        self.channel = SlackChannel(http=http, clock=self.clock, proxies=ProxyRules(), environ=environ)
        self._numbers = itertools.count(1)

    def request(self, text: str, **fields: Any) -> WebhookRequest:
        event = message(text, ts=f"1700000000.{next(self._numbers):06}", **{"channel": DIRECT, **fields})
        return signed(callback(event), at=self.clock.now(), secret=SECRET)

    def message(
        self, text: str, *, peer: Peer | None = None, name: str = "Ada", quote: str | None = None
    ) -> WebhookRequest:
        shared = {"is_share": True, "text": quote, "author_name": "Bea"}
        return self.request(
            text,
            channel=DIRECT if peer is None else peer.chat,
            user_profile={"display_name": name},
            attachments=[shared] if quote is not None else None,
        )

    def media_message(self, content: bytes, *, file_name: str) -> WebhookRequest:
        file = file_of(f"F{next(self._numbers)}", name="file.pdf", size=len(content))
        self.slack.add_file(file, content)
        return self.request("", subtype="file_share", files=[{**file, "name": file_name}])

    def own_message(self) -> WebhookRequest | None:
        return self.request("hi", user=BOT_USER, bot_id=BOT_ID)

    def malformed(self) -> WebhookRequest:
        return signed(b'{"type": 1', at=self.clock.now(), secret=SECRET)

    async def fault(self, call: str, fault: Fault) -> None:
        self.clock.advance(60)  # the channel shows no progress while Slack limits it
        for method in METHODS[call]:
            self.slack.scripts[method].clear()
            self.slack.scripts[method].append(SCRIPTS[fault])

    async def refuse_formatting(self) -> None:
        self.slack.refuses_markdown = True

    async def stop(self) -> None:
        await self.slack.__aexit__()

    async def deliver(self, request: WebhookRequest) -> None:
        await self.slack.deliver(msgspec.json.decode(request.body)["event"])

    def texts(self, peer: Peer) -> Sequence[str]:
        posted = [each for each in self.slack.messages.values() if each.channel == peer.chat]
        return [each.text if each.markdown else unescape(each.text) for each in posted]

    def typing(self) -> int:
        return len(self.slack.reactions) + len(self.slack.statuses)

    def requests(self) -> int:
        return self.slack.requests

    def setup(self) -> object:
        """Nobody but a person can change an app: the calls that change something are all there is."""
        reading = {"auth.test", "apps.connections.open", "conversations.info", "users.info", "files.info"}
        return [method for method, _ in self.slack.calls if method not in reading]


@asynccontextmanager
async def slack_rig() -> AsyncIterator[SlackRig]:
    """Yields a rig with an empty platform."""
    async with SlackPlatform() as slack, aiohttp.ClientSession() as http:
        yield SlackRig(slack, http)
