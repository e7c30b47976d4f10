import pytest
from msgspec.structs import replace

from polyant.domain.audit import CLI
from polyant.domain.channel_info import TearDown
from polyant.domain.channels import ConnectionState
from polyant.domain.errors import InstanceChangedError, UnknownInstanceError
from polyant.domain.instances import Slug
from polyant.domain.secrets import SecretName
from polyant.domain.use_cases.connect_channel import NewConnection
from polyant.domain.use_cases.create_instance import CreateInstance, NewInstance
from polyant.domain.use_cases.delete_instance import DeleteInstance
from polyant.domain.use_cases.show_instance import ShowInstance
from polyant.testing.fake_channel import FAKE_TOKEN
from support.channel_harness import FAKE, ChannelHarness
from support.management import ManagementHarness

BOT = Slug("bot")
NEW = NewConnection(channel=FAKE, credentials={"token": FAKE_TOKEN})


@pytest.fixture
async def channels() -> ChannelHarness:
    harness = ChannelHarness()
    await harness.create("bot", provider="echo")
    return harness


async def test_instance_is_deleted_and_stays_in_the_audit_trail(management: ManagementHarness) -> None:
    await (await management.get(CreateInstance))(NewInstance(slug=BOT, provider="echo"), by=CLI)
    await (await management.get(DeleteInstance))(BOT, by=CLI)
    with pytest.raises(UnknownInstanceError):
        await ShowInstance(repo=management.repo)(BOT)
    told = [("cli", action, "bot", None, ()) for action in ("instance.create", "instance.delete")]
    assert await management.audit_entries() == told


async def test_only_an_expected_version_is_deleted(management: ManagementHarness) -> None:
    created = (await (await management.get(CreateInstance))(NewInstance(slug=BOT, provider="echo"), by=CLI)).instance
    with pytest.raises(InstanceChangedError):
        await (await management.get(DeleteInstance))(BOT, by=CLI, expected_versions={2})
    assert await ShowInstance(repo=management.repo)(BOT) == created
    await (await management.get(DeleteInstance))(BOT, by=CLI, expected_versions={1, 2})
    assert await management.repo.get(BOT) is None


@pytest.mark.parametrize("versions", [None, {1}])
async def test_unknown_instance_is_reported(management: ManagementHarness, versions: set[int] | None) -> None:
    with pytest.raises(UnknownInstanceError):
        await (await management.get(DeleteInstance))(BOT, by=CLI, expected_versions=versions)
    assert await management.audit_entries() == []


async def test_platforms_are_told_that_their_connection_has_ended(channels: ChannelHarness) -> None:
    await channels.connect(BOT, NEW, by=CLI)
    assert await channels.delete_instance(BOT, by=CLI) == ()
    assert channels.fake.changes[-1] == TearDown()
    assert await channels.connections.list() == ()


async def test_platforms_of_paused_connections_are_left_alone(channels: ChannelHarness) -> None:
    """Another server may have taken the account over."""
    connection = (await channels.connect(BOT, NEW, by=CLI)).connection
    await channels.connections.save(replace(connection, state=ConnectionState.PAUSED))
    told = list(channels.fake.changes)
    assert await channels.delete_instance(BOT, by=CLI) == ()
    assert channels.fake.changes == told


async def test_instance_is_deleted_although_a_platform_cannot_be_told(channels: ChannelHarness) -> None:
    await channels.connect(BOT, NEW, by=CLI)
    channels.lose_platform()
    assert await channels.delete_instance(BOT, by=CLI) == ("Fake can't be reached",)
    assert await channels.repo.get(BOT) is None


async def test_instance_is_deleted_although_a_credential_is_missing(channels: ChannelHarness) -> None:
    await channels.connect(BOT, NEW, by=CLI)
    await channels.delete_secret(BOT, SecretName("fake_token"))
    assert await channels.delete_instance(BOT, by=CLI) == ()
    assert await channels.repo.get(BOT) is None


async def test_platform_is_not_told_of_an_instance_that_stays(channels: ChannelHarness) -> None:
    await channels.connect(BOT, NEW, by=CLI)
    told = list(channels.fake.changes)
    with pytest.raises(InstanceChangedError):
        await channels.delete_instance(BOT, by=CLI, expected_versions={99})
    assert channels.fake.changes == told
