"""The contracts of the conversation store hold around it, and media go with their messages."""

from datetime import timedelta

import pytest

from polyant.adapters.media_deletion.conversation_maintenance import MediaDeletingConversationMaintenance
from polyant.adapters.media_deletion.conversation_repo import MediaDeletingConversationRepo
from polyant.adapters.memory.media_store import MemoryMediaStore
from polyant.domain.conversations import ConversationSelection
from polyant.testing.conversation_maintenance import ConversationMaintenanceContract
from polyant.testing.conversation_repo import ConversationRepoContract
from polyant.testing.conversation_store import conversation_of, user_message
from polyant.testing.media_store import all_of, item
from support.conversation_stores import MemoryConversationStoreRig


class WrappedRig(MemoryConversationStoreRig):
    def __init__(self) -> None:
        super().__init__()
        self.media = MemoryMediaStore()
        self.conversations = MediaDeletingConversationRepo(repo=self.conversations, media_store=self.media)
        self.maintenance = MediaDeletingConversationMaintenance(maintenance=self.maintenance, media_store=self.media)

    async def left(self) -> list[str]:
        return [each.message for each in await all_of(self.media)]


class TestMediaDeletingConversationRepo(ConversationRepoContract):
    @pytest.fixture
    def rig(self) -> WrappedRig:
        return WrappedRig()


class TestMediaDeletingConversationMaintenance(ConversationMaintenanceContract):
    @pytest.fixture
    def rig(self) -> WrappedRig:
        return WrappedRig()


@pytest.fixture
async def rig() -> WrappedRig:
    """Two conversations with an image each, and an image whose message was never stored."""
    rig = WrappedRig()
    for number in "12":
        conversation = await rig.conversations.start(conversation_of(f"c{number}", f"lane-{number}"))
        message = user_message(f"m{number}")
        await rig.conversations.append(conversation.id, [message])
        await rig.media.put(item(f"c{number}", f"m{number}", at=message.at))
    await rig.media.put(item("c9", "m9", at=user_message().at))
    return rig


async def test_media_of_a_deleted_conversation_are_deleted(rig: WrappedRig) -> None:
    first = conversation_of("c1", "lane-1")
    selection = ConversationSelection(instance=first.instance, conversation=first.id)
    assert (await rig.conversations.delete(selection, limit=10)).complete
    assert await rig.left() == ["m2", "m9"]


async def test_media_of_one_batch_are_deleted_with_it(rig: WrappedRig) -> None:
    selection = ConversationSelection(instance=conversation_of().instance)
    assert not (await rig.conversations.delete(selection, limit=1)).complete
    assert len(await rig.left()) == 2


async def test_retention_includes_media_and_those_without_a_message(rig: WrappedRig) -> None:
    at = user_message().at
    await rig.media.put(item("c1", "new", at=at + timedelta(days=1)))
    batches = 0
    while not (await rig.maintenance.expire_messages(at + timedelta(seconds=1), limit=1)).complete:
        batches += 1
    assert batches > 0
    assert await rig.left() in ([], ["new"])
