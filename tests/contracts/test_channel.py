from collections.abc import AsyncIterator

import pytest

from polyant.testing.channel import ChannelContract, PulledChannelContract
from support.telegram_rig import TelegramRig, telegram_rig


class TestTelegramChannel(ChannelContract, PulledChannelContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[TelegramRig]:
        async with telegram_rig() as rig:
            yield rig
