"""The account of a lane, with all that is needed to answer for it."""

import msgspec

from polyant.domain.channels import ChannelAccount, ChannelConnection
from polyant.domain.instances import Instance
from polyant.domain.ports.channel import Channel


class LaneAccount(msgspec.Struct, frozen=True):
    """An account, its instance and its adapter."""

    account: ChannelAccount
    instance: Instance
    channel: Channel

    @property
    def connection(self) -> ChannelConnection:
        """The account's connection."""
        return self.account.connection
