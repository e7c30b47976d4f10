from collections.abc import AsyncIterator

import pytest

from polyant.testing.channel import ChannelContract, PulledChannelContract
from support.slack_rig import SlackRig, slack_rig
from support.telegram_rig import TelegramRig, telegram_rig
from support.whatsapp_rig import WhatsAppRig, whatsapp_rig


class TestTelegramChannel(ChannelContract, PulledChannelContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[TelegramRig]:
        async with telegram_rig() as rig:
            yield rig


class TestSlackChannel(ChannelContract, PulledChannelContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[SlackRig]:
        async with slack_rig() as rig:
            yield rig


class TestWhatsAppChannel(ChannelContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[WhatsAppRig]:
        async with whatsapp_rig() as rig:
            yield rig
