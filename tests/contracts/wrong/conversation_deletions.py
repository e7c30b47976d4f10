"""Repositories of conversations that each delete too little, too much, or report it wrongly."""

from msgspec.structs import replace

from polyant.adapters.memory.conversation_repo import MemoryConversationRepo
from polyant.domain.conversations import Conversation, ConversationSelection, Deletion, MessageId
from polyant.testing.conversation_deletion import ConversationDeletionContract
from support.conversation_stores import WithRepo


class MemoryContract(WithRepo, ConversationDeletionContract):
    """The tests of the kit, of a repository in memory."""


class AlwaysComplete(MemoryConversationRepo):
    """Reports each batch as the last."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        return replace(await super().delete(selection, limit=limit), complete=True)


class TestAlwaysComplete(MemoryContract):
    repo = AlwaysComplete


class ForgetsEmptyLeft(MemoryConversationRepo):
    """Reports the deletion as complete although conversations without messages are left."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        stored = sum(map(len, self._tables.messages.values()))
        deletion = await super().delete(selection, limit=limit)
        return replace(deletion, complete=deletion.complete or stored <= limit)


class TestCompleteBeforeEmptyOnes(MemoryContract):
    repo = ForgetsEmptyLeft


class LeavesEvents(MemoryConversationRepo):
    """Deletes one batch of events and deliveries, and forgets the others once no message is left."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        events, deliveries = [*self._tables.events.items()], [*self._tables.deliveries.items()]
        deletion = await super().delete(selection, limit=limit)
        if selection.conversation is None and limit < 9:
            self._tables.events |= dict(events[limit:])
            self._tables.deliveries |= dict(deliveries[limit:])
        return deletion


class TestCompleteBeforeEvents(MemoryContract):
    repo = LeavesEvents


class OneTooMany(MemoryConversationRepo):
    """Deletes as many messages as it looks for: one more than the limit."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        return await super().delete(selection, limit=limit + 1)


class TestOneTooMany(MemoryContract):
    repo = OneTooMany


class ReportsConversations(MemoryConversationRepo):
    """Doesn't report the messages, so that their media stay."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        return replace(await super().delete(selection, limit=limit), messages=())


class TestMessagesNotReported(MemoryContract):
    repo = ReportsConversations


class ReportsOthers(MemoryConversationRepo):
    """Reports the messages that it would find in a query of its own, from the other end."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        stored = [each.id for messages in self._tables.messages.values() for each in messages]
        deletion = await super().delete(selection, limit=limit)
        reported = tuple(stored[-len(deletion.messages) :]) if deletion.messages else tuple[MessageId, ...]()
        return replace(deletion, messages=reported)


class TestOtherMessagesReported(MemoryContract):
    repo = ReportsOthers


class CountsLeft(MemoryConversationRepo):
    """Forgets to count the unanswered messages that are left."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        before = dict(self._tables.conversations)
        deletion = await super().delete(selection, limit=limit)
        for conversation, found in self._tables.conversations.items():
            self._tables.conversations[conversation] = replace(found, unanswered=before[conversation].unanswered)
        return deletion


class TestUnansweredNotCounted(MemoryContract):
    repo = CountsLeft


class TouchesConversations(MemoryConversationRepo):
    """Has a column `updated_at` that each write sets."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        deletion = await super().delete(selection, limit=limit)
        now = self._clock.now()
        for conversation, found in self._tables.conversations.items():
            self._tables.conversations[conversation] = replace(found, updated_at=now)
        return deletion


class TestUpdatedByDeletion(MemoryContract):
    repo = TouchesConversations


class KeepsDeliveries(MemoryConversationRepo):
    """Leaves the deliveries of a deleted conversation."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        deliveries = dict(self._tables.deliveries)
        deletion = await super().delete(selection, limit=limit)
        if selection.conversation is not None:
            self._tables.deliveries = deliveries
        return deletion


class TestDeliveriesLeft(MemoryContract):
    repo = KeepsDeliveries


class DropsDeliveriesOfLane(MemoryConversationRepo):
    """Deletes the deliveries of the lane, also those of its other conversations."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        lanes = {each.id: each.lane for each in self._tables.conversations.values()}
        deletion = await super().delete(selection, limit=limit)
        gone = {lanes[each] for each in deletion.conversations}
        kept = {key: each for key, each in self._tables.deliveries.items() if each.lane not in gone}
        self._tables.deliveries = kept
        return deletion


class TestOtherDeliveriesDeleted(MemoryContract):
    repo = DropsDeliveriesOfLane


class DropsEventsOfLane(MemoryConversationRepo):
    """Deletes the events of a conversation's lane, which no turn has answered."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        lanes = {each.id: each.lane for each in self._tables.conversations.values()}
        deletion = await super().delete(selection, limit=limit)
        gone = {lanes[each] for each in deletion.conversations}
        self._tables.events = {key: each for key, each in self._tables.events.items() if each.lane not in gone}
        return deletion


class TestEventsDeleted(MemoryContract):
    repo = DropsEventsOfLane


class KeepsLanes(MemoryConversationRepo):
    """Leaves the lanes."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        lanes = dict(self._tables.lanes)
        deletion = await super().delete(selection, limit=limit)
        self._tables.lanes = lanes
        return deletion


class TestLanesLeft(MemoryContract):
    repo = KeepsLanes


class DropsLeasedLanes(MemoryConversationRepo):
    """Deletes lanes although somebody holds them."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        used = {each.lane for each in self._tables.conversations.values()}
        deletion = await super().delete(selection, limit=limit)
        used -= {each.lane for each in self._tables.conversations.values()}
        used -= {each.lane for each in self._tables.events.values()}
        self._tables.lanes = {key: row for key, row in self._tables.lanes.items() if key not in used}
        return deletion


class TestLeasedLanesDeleted(MemoryContract):
    repo = DropsLeasedLanes


class DropsLanesWithEvents(MemoryConversationRepo):
    """Deletes lanes although they have events, which no worker finds any more."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        lanes = {each.id: each.lane for each in self._tables.conversations.values()}
        deletion = await super().delete(selection, limit=limit)
        for lane in {lanes[each] for each in deletion.conversations} & self._tables.lanes.keys():
            if self._tables.lanes[lane].owner is None:
                del self._tables.lanes[lane]
        return deletion


class TestLanesWithEventsDeleted(MemoryContract):
    repo = DropsLanesWithEvents


class ClearsLane(MemoryConversationRepo):
    """Leaves a lane without its current conversation when an earlier one is deleted."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        lanes = {each.id: each.lane for each in self._tables.conversations.values()}
        deletion = await super().delete(selection, limit=limit)
        for lane in {lanes[each] for each in deletion.conversations} & self._tables.lanes.keys():
            self._tables.lanes[lane].conversation = None
        return deletion


class TestCurrentConversationLost(MemoryContract):
    repo = ClearsLane


class ForgetsInstance(MemoryConversationRepo):
    """Selects by the conversation or the user alone."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        instances = {each.instance for each in self._tables.conversations.values()} | {selection.instance}
        selections = [replace(selection, instance=each) for each in sorted(instances)]
        deletions = [await super(ForgetsInstance, self).delete(each, limit=limit) for each in selections]
        return Deletion(
            messages=tuple(message for each in deletions for message in each.messages),
            conversations=tuple(conversation for each in deletions for conversation in each.conversations),
            complete=all(each.complete for each in deletions),
        )


class TestInstanceForgotten(MemoryContract):
    repo = ForgetsInstance


class ForgetsInstanceOfSenders(MemoryConversationRepo):
    """Deletes the user's messages in the groups of all instances."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        deletion = await super().delete(selection, limit=limit)
        if selection.user is None:
            return deletion
        others = self._tables.drop_messages(lambda _, message: message.sender == selection.user, limit)
        return replace(deletion, messages=(*deletion.messages, *others.messages))


class TestMessagesOfOtherInstancesDeleted(MemoryContract):
    repo = ForgetsInstanceOfSenders


class ForgetsInstanceOfEvents(MemoryConversationRepo):
    """Deletes the user's events in the lanes of all instances."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        deletion = await super().delete(selection, limit=limit)
        if selection.user is not None:
            events = self._tables.events.items()
            self._tables.events = {key: each for key, each in events if each.user != selection.user}
        return deletion


class TestEventsOfOtherInstancesDeleted(MemoryContract):
    repo = ForgetsInstanceOfEvents


class ForgetsInstanceOfDeliveries(MemoryConversationRepo):
    """Deletes the deliveries of the user's lanes in all instances."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        own = {key for key, row in self._tables.lanes.items() if row.lane.user == selection.user}
        deletion = await super().delete(selection, limit=limit)
        if selection.user is not None:
            deliveries = self._tables.deliveries.items()
            self._tables.deliveries = {key: each for key, each in deliveries if each.lane not in own}
        return deletion


class TestDeliveriesOfOtherInstancesDeleted(MemoryContract):
    repo = ForgetsInstanceOfDeliveries


class KeepsMessagesInGroups(MemoryConversationRepo):
    """Deletes the conversations of a user, and not the messages in those of others."""

    async def delete(self, selection: ConversationSelection, *, limit: int) -> Deletion:
        def selected(conversation: Conversation) -> bool:
            return conversation.instance == selection.instance and conversation.user == selection.user

        if selection.user is None:
            return await super().delete(selection, limit=limit)
        kept = {key: value for key, value in self._tables.conversations.items() if not selected(value)}
        messages = {key: self._tables.messages[key] for key in kept}
        self._tables.messages |= {key: [] for key in kept}
        unsent = {key: each for key, each in self._tables.deliveries.items() if each.conversation in kept}
        lanes = {
            key: self._tables.lanes[key] for key in {each.lane for each in kept.values()} & self._tables.lanes.keys()
        }
        deletion = await super().delete(selection, limit=limit)
        self._tables.conversations |= kept
        self._tables.messages |= messages
        self._tables.deliveries |= {key: each for key, each in unsent.items() if each.lane in lanes}
        self._tables.lanes |= lanes
        return deletion


class TestMessagesInGroupsLeft(MemoryContract):
    repo = KeepsMessagesInGroups
