import pytest

from polyant.adapters.crypto.secret_cipher import AesGcmSecretCipher
from polyant.domain.conversations import ConversationSelection
from polyant.domain.errors import UnknownInstanceError
from polyant.domain.instances import Instance
from polyant.domain.lanes import Lane
from polyant.domain.secrets import SecretText
from polyant.domain.use_cases.channels.channel_history import ChannelHistory
from polyant.testing.conversation_store import api_lane
from polyant.testing.factories import InstanceFactory
from support.conversations import ConversationHarness


class Scenario(ConversationHarness):
    """A store with an instance, whose lane is free."""

    def __init__(self) -> None:
        super().__init__(AesGcmSecretCipher(master_keys=[SecretText("0f" * 32)]))
        self.instance: Instance = InstanceFactory.build()
        self.memory.instances.put(self.instance)
        self.lane: Lane = api_lane(instance=self.instance.id)
        self.history = ChannelHistory(conversations=self.repo, keys=self.keys, new=self.new, media=self.media)

    def delete_instance(self) -> None:
        self.memory.instances.remove(self.instance.slug)


@pytest.fixture
def scenario() -> Scenario:
    return Scenario()


async def test_started_conversation_is_the_current_one(scenario: Scenario) -> None:
    opened = await scenario.new.start(scenario.lane, scenario.instance, label="Ada")
    current = await scenario.repo.current(scenario.lane.id, newest=9)
    assert current is not None
    assert current.conversation == opened.conversation
    assert opened.label == "Ada"


async def test_conversation_that_another_process_started_is_returned(scenario: Scenario) -> None:
    first = await scenario.new.start(scenario.lane, scenario.instance, label=None)
    second = await scenario.new.start(scenario.lane, scenario.instance, label=None)
    assert second.conversation == first.conversation
    third = await scenario.new.start(scenario.lane, scenario.instance, label=None, replaces=first.id)
    assert third.id != first.id


async def test_deleted_instance_gets_no_conversation(scenario: Scenario) -> None:
    scenario.delete_instance()
    with pytest.raises(UnknownInstanceError):
        await scenario.new.start(scenario.lane, scenario.instance, label=None)
    assert await scenario.histories(scenario.instance.id) == []


async def test_other_instance_with_the_slug_does_not_count(scenario: Scenario) -> None:
    scenario.delete_instance()
    scenario.memory.instances.put(InstanceFactory.build(slug=scenario.instance.slug))
    with pytest.raises(UnknownInstanceError):
        await scenario.new.start(scenario.lane, scenario.instance, label=None)
    assert await scenario.histories(scenario.instance.id) == []


async def test_deletion_of_the_instance_meanwhile_leaves_nothing(scenario: Scenario) -> None:
    """Whichever comes last removes the conversation: the start, or the deletion."""
    await scenario.new.start(scenario.lane, scenario.instance, label=None)
    scenario.delete_instance()
    await scenario.removal.delete(ConversationSelection(instance=scenario.instance.id))
    with pytest.raises(UnknownInstanceError):
        await scenario.new.start(scenario.lane, scenario.instance, label=None)
    assert await scenario.histories(scenario.instance.id) == []


async def test_channel_of_a_deleted_instance_starts_no_conversation(scenario: Scenario) -> None:
    lease = await scenario.lanes.acquire(scenario.lane, owner="worker-1", seconds=30)
    assert lease is not None
    await scenario.history.restart(lease, scenario.instance, label="Ada")
    assert await scenario.histories(scenario.instance.id) == [], "there is none to replace"
    opened = (await scenario.history.open(lease, scenario.instance, label="Ada")).opened
    await scenario.lanes.release(lease)
    scenario.delete_instance()
    lease = await scenario.lanes.acquire(scenario.lane, owner="worker-1", seconds=30)
    assert lease is not None
    assert lease.conversation == opened.id
    with pytest.raises(UnknownInstanceError):
        await scenario.history.restart(lease, scenario.instance, label="Ada")
    await scenario.removal.delete(ConversationSelection(instance=scenario.instance.id))
    with pytest.raises(UnknownInstanceError):
        await scenario.history.open(lease, scenario.instance, label="Ada")
    assert await scenario.histories(scenario.instance.id) == []
