from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from polyant.adapters.channels.slack.channel import SlackChannel
from polyant.domain.channel_events import InboundBatch
from polyant.domain.channels import ChannelAccess, ChannelAccount, ChannelName, Delivery
from polyant.domain.injectables import Environ
from polyant.domain.proxies import ProxyRules
from polyant.domain.secrets import SecretName, SecretText
from polyant.testing.channel_connection_factory import connection_of
from polyant.testing.manual_clock import ManualClock
from support.slack_events import BOT_USER, SIGNING_SECRET, TEAM, callback, signed
from support.slack_platform import APP_TOKEN, BOT_TOKEN, SlackPlatform


@pytest.fixture
async def slack() -> AsyncIterator[SlackPlatform]:
    async with SlackPlatform() as platform:
        yield platform


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def channel(http: aiohttp.ClientSession, slack: SlackPlatform, clock: ManualClock) -> SlackChannel:
    return channel_for(slack, http=http, clock=clock)


def channel_for(slack: SlackPlatform, *, http: aiohttp.ClientSession, clock: ManualClock) -> SlackChannel:
    environ = Environ({"SLACK_API_URL": f"{slack.url}/api"})
    return SlackChannel(http=http, clock=clock, proxies=ProxyRules(), environ=environ)


def account_of(*, delivery: Delivery = Delivery.WEBHOOK, **credentials: str) -> ChannelAccount:
    texts = {"token": BOT_TOKEN, "app_token": APP_TOKEN, "signing_secret": SIGNING_SECRET, **credentials}
    connection = connection_of(
        channel=ChannelName("slack"),
        account=f"{TEAM}:{BOT_USER}",
        account_name="@helper in Example",
        delivery=delivery,
        credentials={name: SecretName(f"slack_{name}") for name in texts},
        options={},
        access=ChannelAccess.WORKSPACE,
    )
    return ChannelAccount(connection=connection, credentials={name: SecretText(text) for name, text in texts.items()})


@pytest.fixture
def account() -> ChannelAccount:
    return account_of()


@pytest.fixture
def received(channel: SlackChannel, account: ChannelAccount, clock: ManualClock) -> Callable[..., InboundBatch]:
    """Returns what the channel makes of an event at its webhook."""

    def receive(event: dict[str, Any], **outer: Any) -> InboundBatch:
        return channel.receive(account, signed(callback(event, **outer), at=clock.now()))

    return receive
