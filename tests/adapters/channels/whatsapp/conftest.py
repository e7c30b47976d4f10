from collections.abc import AsyncIterator

import aiohttp
import pytest

from polyant.adapters.channels.whatsapp.channel import WhatsAppChannel
from polyant.domain.channels import ChannelAccount
from polyant.domain.injectables import Environ
from polyant.domain.proxies import ProxyRules
from polyant.testing.instant_clock import InstantClock
from support.whatsapp_platform import WhatsAppPlatform
from support.whatsapp_rig import ACCOUNT


@pytest.fixture
async def whatsapp() -> AsyncIterator[WhatsAppPlatform]:
    async with WhatsAppPlatform() as platform:
        yield platform


@pytest.fixture
def channel(http: aiohttp.ClientSession, whatsapp: WhatsAppPlatform) -> WhatsAppChannel:
    environ = Environ({"WHATSAPP_API_URL": whatsapp.url})
    return WhatsAppChannel(http=http, clock=InstantClock(), proxies=ProxyRules(), environ=environ)


@pytest.fixture
def account() -> ChannelAccount:
    return ACCOUNT
