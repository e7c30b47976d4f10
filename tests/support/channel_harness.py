"""The use cases of channels on memory adapters and a fake platform."""

from dataclasses import dataclass, field
from functools import cached_property

from polyant.adapters.memory.audit_log import MemoryAuditLog
from polyant.adapters.memory.channel_connections import MemoryChannelConnections
from polyant.domain.channel_accounts import ChannelAccounts
from polyant.domain.channel_registry import ChannelRegistry
from polyant.domain.channels import ChannelName
from polyant.domain.injectables import PublicUrl
from polyant.domain.pairing import PairingCodes
from polyant.domain.ports.channel import Channel
from polyant.domain.use_cases.check_channel import CheckChannel
from polyant.domain.use_cases.connect_channel import ConnectChannel
from polyant.domain.use_cases.disconnect_channel import DisconnectChannel
from polyant.domain.use_cases.list_channels import ListChannels
from polyant.domain.use_cases.set_secret import SetSecret
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.domain.use_cases.update_channel import UpdateChannel
from polyant.testing.fake_channel import FakeChannel
from support.harness import UseCaseHarness

FAKE = ChannelName("fake")


@dataclass(kw_only=True)
class ChannelHarness(UseCaseHarness):
    """The use cases, with an instance `bot` to connect."""

    fake: FakeChannel = field(default_factory=FakeChannel)
    public_url: str = "https://bots.example"

    @cached_property
    def connections(self) -> MemoryChannelConnections:
        return MemoryChannelConnections(memory=self.repo.memory)

    @property
    def audit_log(self) -> MemoryAuditLog:
        return MemoryAuditLog(memory=self.repo.memory)

    @cached_property
    def channels(self) -> ChannelRegistry:
        async def load(name: ChannelName) -> Channel:
            assert name == FAKE
            return self.fake

        return ChannelRegistry(names=[FAKE], load=load)

    @property
    def show_instance(self) -> ShowInstance:
        return ShowInstance(repo=self.repo)

    @property
    def accounts(self) -> ChannelAccounts:
        return ChannelAccounts(repo=self.repo, cipher=self.cipher)

    @property
    def pairing(self) -> PairingCodes:
        return PairingCodes(cipher=self.cipher)

    @property
    def connect(self) -> ConnectChannel:
        return ConnectChannel(
            show_instance=self.show_instance,
            connections=self.connections,
            channels=self.channels,
            set_secret=SetSecret(edit=self.edit, cipher=self.cipher, providers=self.providers),
            cipher=self.cipher,
            tokens=self.tokens,
            clock=self.clock,
            public_url=PublicUrl(self.public_url),
        )

    @property
    def list_channels(self) -> ListChannels:
        return ListChannels(show_instance=self.show_instance, connections=self.connections)

    @property
    def check(self) -> CheckChannel:
        return CheckChannel(list_channels=self.list_channels, channels=self.channels, accounts=self.accounts)

    @property
    def update_channel(self) -> UpdateChannel:
        return UpdateChannel(
            list_channels=self.list_channels,
            connections=self.connections,
            channels=self.channels,
            pairing=self.pairing,
            clock=self.clock,
        )

    @property
    def disconnect(self) -> DisconnectChannel:
        return DisconnectChannel(
            list_channels=self.list_channels,
            connections=self.connections,
            channels=self.channels,
            accounts=self.accounts,
            public_url=PublicUrl(self.public_url),
            edit=self.edit,
            clock=self.clock,
        )
