"""Maintenance of conversations that breaks one promise each."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.conversation_maintenance import MemoryConversationMaintenance
from polyant.domain.conversations import ConversationId, Deletion, KeyKind, KeyReplacement, LaneId, WrappedKey
from polyant.domain.lane_work import DeliveryState, EventState
from polyant.testing.conversation_maintenance import ConversationMaintenanceContract
from support.conversation_stores import MemoryConversationStoreRig


class MemoryContract(ConversationMaintenanceContract):
    made: type[MemoryConversationMaintenance]

    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        rig = MemoryConversationStoreRig()
        rig.maintenance = self.made(store=rig.store, clock=rig.clock)
        return rig


class ExpiresConversations(MemoryConversationMaintenance):
    """Expires conversations by the time of their update, and keeps all messages of those in use."""

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        updated = {key: each.updated_at for key, each in self._tables.conversations.items()}
        deleted = self._tables.drop_messages(lambda conversation, _: updated[conversation.id] < before, limit)
        rest = await super().expire_messages(datetime.min.replace(tzinfo=before.tzinfo), limit=limit)
        empty = [key for key, at in updated.items() if at < before and not self._tables.messages.get(key, [""])]
        for key in empty[:limit]:
            self._tables.drop_conversation(key)
        return replace(rest, messages=deleted.messages, conversations=(*deleted.conversations, *empty[:limit]))


class TestConversationsExpire(MemoryContract):
    made = ExpiresConversations


class ExpiresAtTime(MemoryConversationMaintenance):
    """Compares with `<=`."""

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        return await super().expire_messages(before + timedelta(microseconds=1), limit=limit)


class TestExpiredAtTime(MemoryContract):
    made = ExpiresAtTime


class OneTooMany(MemoryConversationMaintenance):
    """Deletes as many messages as it looks for: one more than the limit."""

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        return await super().expire_messages(before, limit=limit + 1)


class TestOneMessageTooMany(MemoryContract):
    made = OneTooMany


class AlwaysComplete(MemoryConversationMaintenance):
    """Reports each batch as the last."""

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        return replace(await super().expire_messages(before, limit=limit), complete=True)


class TestAlwaysComplete(MemoryContract):
    made = AlwaysComplete


class ForgetsEmptyLeft(MemoryConversationMaintenance):
    """Reports the expiry as complete although conversations without messages are left."""

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        old = sum(each.at < before for messages in self._tables.messages.values() for each in messages)
        deletion = await super().expire_messages(before, limit=limit)
        return replace(deletion, complete=old <= limit)


class TestCompleteBeforeEmptyOnes(MemoryContract):
    made = ForgetsEmptyLeft


class CreatedBefore(MemoryConversationMaintenance):
    """Expires conversations without messages by the time of their creation."""

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        for key, each in self._tables.conversations.items():
            if not each.messages:
                self._tables.conversations[key] = replace(each, updated_at=each.created_at)
        return await super().expire_messages(before, limit=limit)


class TestEmptyOnesExpireByCreation(MemoryContract):
    made = CreatedBefore


class TouchesConversations(MemoryConversationMaintenance):
    """Has a column `updated_at` that each write sets."""

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        deletion = await super().expire_messages(before, limit=limit)
        self._touch()
        return deletion

    async def replace_keys(self, replacements: Sequence[KeyReplacement]) -> int:
        count = await super().replace_keys(replacements)
        self._touch()
        return count

    def _touch(self) -> None:
        now = self._clock.now() + timedelta(days=1)
        for key, each in self._tables.conversations.items():
            self._tables.conversations[key] = replace(each, updated_at=now)


class TestUpdatedByMaintenance(MemoryContract):
    made = TouchesConversations


class ForgetsUnanswered(MemoryConversationMaintenance):
    """Forgets to count the unanswered messages that are left."""

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        counts = {key: each.unanswered for key, each in self._tables.conversations.items()}
        deletion = await super().expire_messages(before, limit=limit)
        for key, each in self._tables.conversations.items():
            self._tables.conversations[key] = replace(each, unanswered=counts[key])
        return deletion


class TestUnansweredNotCounted(MemoryContract):
    made = ForgetsUnanswered


class ClearsLane(MemoryConversationMaintenance):
    """Leaves a lane without its current conversation when an earlier one expires."""

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        lanes = {each.id: each.lane for each in self._tables.conversations.values()}
        deletion = await super().expire_messages(before, limit=limit)
        for lane in {lanes[each] for each in deletion.conversations} & self._tables.lanes.keys():
            self._tables.lanes[lane].conversation = None
        return deletion


class TestCurrentConversationLost(MemoryContract):
    made = ClearsLane


class DropsDeliveriesOfLane(MemoryConversationMaintenance):
    """Deletes the deliveries of the lane, also those of its other conversations."""

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        lanes = {each.id: each.lane for each in self._tables.conversations.values()}
        deletion = await super().expire_messages(before, limit=limit)
        gone = {lanes[each] for each in deletion.conversations}
        kept = {key: each for key, each in self._tables.deliveries.items() if each.lane not in gone}
        self._tables.deliveries = kept
        return deletion


class TestOtherDeliveriesDeleted(MemoryContract):
    made = DropsDeliveriesOfLane


class DropsLeasedLanes(MemoryConversationMaintenance):
    """Deletes lanes although somebody holds them."""

    async def expire_messages(self, before: datetime, *, limit: int) -> Deletion:
        lanes = {each.id: each.lane for each in self._tables.conversations.values()}
        deletion = await super().expire_messages(before, limit=limit)
        used = {each.lane for each in self._tables.events.values()}
        used |= {each.lane for each in self._tables.conversations.values()}
        for lane in {lanes[each] for each in deletion.conversations} & self._tables.lanes.keys() - used:
            del self._tables.lanes[lane]
        return deletion


class TestLeasedLanesDeleted(MemoryContract):
    made = DropsLeasedLanes


class OneTimeForAll(MemoryConversationMaintenance):
    """Expires dead events like finished ones."""

    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        return await super().expire_events(finished_before=finished_before, dead_before=finished_before, limit=limit)


class TestDeadEventsExpireEarly(MemoryContract):
    made = OneTimeForAll


class UnknownIsFinished(MemoryConversationMaintenance):
    """Expires deliveries of an unknown outcome like finished ones."""

    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        gone = [
            key
            for key, each in self._tables.deliveries.items()
            if each.state is DeliveryState.UNKNOWN and each.created_at < finished_before
        ]
        is_complete = await super().expire_events(finished_before=finished_before, dead_before=dead_before, limit=limit)
        for key in gone:
            self._tables.deliveries.pop(key, None)
        return is_complete


class TestUnknownIsFinished(MemoryContract):
    made = UnknownIsFinished


class ExpiresByUpdate(MemoryConversationMaintenance):
    """Counts deliveries by the time of their last change."""

    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        for key, each in self._tables.deliveries.items():
            self._tables.deliveries[key] = replace(each, created_at=each.updated_at)
        return await super().expire_events(finished_before=finished_before, dead_before=dead_before, limit=limit)


class TestDeliveriesExpireByUpdate(MemoryContract):
    made = ExpiresByUpdate


class ForgetsDeliveriesLeft(MemoryConversationMaintenance):
    """Reports the expiry as complete although deliveries are left."""

    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        finished = [each for each in self._tables.events.values() if each.state is not EventState.OPEN]
        await super().expire_events(finished_before=finished_before, dead_before=dead_before, limit=limit)
        return len(finished) <= limit


class TestCompleteBeforeDeliveries(MemoryContract):
    made = ForgetsDeliveriesLeft


class ExpiresAllEvents(MemoryConversationMaintenance):
    """Deletes everything at once, and counts batches only in its response."""

    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        self._left = max(getattr(self, "_left", 0) - limit, 0) or len(self._tables.events)
        await super().expire_events(finished_before=finished_before, dead_before=dead_before, limit=10_000)
        return self._left <= limit


class TestBatchOverLimit(MemoryContract):
    made = ExpiresAllEvents


class DropsOpenEvents(MemoryConversationMaintenance):
    """Deletes old events that no turn has answered."""

    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        open_ones = [
            key
            for key, each in self._tables.events.items()
            if each.state is EventState.OPEN and each.received_at < dead_before
        ]
        for key in open_ones[:limit]:
            del self._tables.events[key]
        return await super().expire_events(finished_before=finished_before, dead_before=dead_before, limit=limit)


class TestOpenEventsExpire(MemoryContract):
    made = DropsOpenEvents


class DropsUsedLanes(MemoryConversationMaintenance):
    """Deletes lanes without events, also those with a conversation."""

    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        is_complete = await super().expire_events(finished_before=finished_before, dead_before=dead_before, limit=limit)
        busy = {each.lane for each in self._tables.events.values()}
        busy |= {each.lane for each in self._tables.deliveries.values()}
        self._tables.lanes = {
            key: row for key, row in self._tables.lanes.items() if key in busy or row.owner is not None
        }
        return is_complete


class TestLanesWithConversationsDeleted(MemoryContract):
    made = DropsUsedLanes


class DropsHeldLanes(MemoryConversationMaintenance):
    """Deletes lanes without events and conversations, also those with a holder."""

    async def expire_events(self, *, finished_before: datetime, dead_before: datetime, limit: int) -> bool:
        is_complete = await super().expire_events(finished_before=finished_before, dead_before=dead_before, limit=limit)
        busy = {each.lane for each in self._tables.events.values()}
        busy |= {each.lane for each in self._tables.deliveries.values()}
        self._tables.lanes = {
            key: row for key, row in self._tables.lanes.items() if key in busy or row.conversation is not None
        }
        return is_complete


class TestHeldLanesDeleted(MemoryContract):
    made = DropsHeldLanes


class KeepsKeys(MemoryConversationMaintenance):
    """Never deletes the keys of days."""

    def _expire_ingest_keys(self, before: datetime) -> None:
        pass


class TestKeysOfDaysKept(MemoryContract):
    made = KeepsKeys


class DropsOldKeys(MemoryConversationMaintenance):
    """Deletes the keys of old days, also those that dead events need."""

    def _expire_ingest_keys(self, before: datetime) -> None:
        keys = self._tables.ingest_keys.items()
        self._tables.ingest_keys = {day: key for day, key in keys if day >= before.date().isoformat()}


class TestNeededKeysDeleted(MemoryContract):
    made = DropsOldKeys


class ForgetsMidnight(MemoryConversationMaintenance):
    """Keeps the key of the day on which an event was received, and not the one that was read the day before."""

    def _expire_ingest_keys(self, before: datetime) -> None:
        needed = {each.received_at.date().isoformat() for each in self._tables.events.values() if each.payload}
        needed |= {each.created_at.date().isoformat() for each in self._tables.deliveries.values() if each.text}
        keys = self._tables.ingest_keys.items()
        self._tables.ingest_keys = {day: key for day, key in keys if day >= before.date().isoformat() or day in needed}


class TestMidnightForgotten(MemoryContract):
    made = ForgetsMidnight


class ForgetsTexts(MemoryConversationMaintenance):
    """Deletes keys that unsent chunks need."""

    def _expire_ingest_keys(self, before: datetime) -> None:
        deliveries, self._tables.deliveries = self._tables.deliveries, {}
        super()._expire_ingest_keys(before)
        self._tables.deliveries = deliveries


class TestKeysOfTextsDeleted(MemoryContract):
    made = ForgetsTexts


class DropsUnusedKeys(MemoryConversationMaintenance):
    """Deletes every key that no ciphertext needs, also the one of the hashes and those of today."""

    def _expire_ingest_keys(self, before: datetime) -> None:
        super()._expire_ingest_keys(datetime.max.replace(tzinfo=before.tzinfo))
        days = {each.received_at.date() for each in self._tables.events.values() if each.payload is not None}
        days |= {each.created_at.date() for each in self._tables.deliveries.values() if each.text is not None}
        needed = {(day - timedelta(days=late)).isoformat() for day in days for late in (0, 1)}
        self._tables.ingest_keys = {day: key for day, key in self._tables.ingest_keys.items() if day in needed}


class TestKeyOfHashesDeleted(MemoryContract):
    made = DropsUnusedKeys


class HealsEventsOnly(MemoryConversationMaintenance):
    """Overlooks lanes with open deliveries."""

    async def heal(self) -> tuple[LaneId, ...]:
        deliveries, self._tables.deliveries = self._tables.deliveries, {}
        found = await super().heal()
        self._tables.deliveries = deliveries
        return found


class TestDeliveriesNotHealed(MemoryContract):
    made = HealsEventsOnly


class HealsStartedOnly(MemoryConversationMaintenance):
    """Overlooks chunks that nobody has started to send."""

    async def heal(self) -> tuple[LaneId, ...]:
        deliveries = self._tables.deliveries
        self._tables.deliveries = {
            key: each for key, each in deliveries.items() if each.state is not DeliveryState.QUEUED
        }
        found = await super().heal()
        self._tables.deliveries = deliveries
        return found


class TestQueuedChunksNotHealed(MemoryContract):
    made = HealsStartedOnly


class HealsEverything(MemoryConversationMaintenance):
    """Takes finished and dead events for work."""

    async def heal(self) -> tuple[LaneId, ...]:
        events = self._tables.events
        self._tables.events = {key: replace(each, state=EventState.OPEN) for key, each in events.items()}
        found = await super().heal()
        self._tables.events = events
        return found


class TestFinishedLanesHealed(MemoryContract):
    made = HealsEverything


class ReportsOnly(MemoryConversationMaintenance):
    """Finds broken lanes, and leaves them."""

    async def heal(self) -> tuple[LaneId, ...]:
        found = await super().heal()
        for lane in found:
            self._tables.lanes[lane].due_at = None
        return found


class TestBrokenLanesLeft(MemoryContract):
    made = ReportsOnly


class EarlierKeysOnly(MemoryConversationMaintenance):
    """Takes master keys whose ids sort after the current one for newer ones."""

    async def outdated_keys(self, current: str, *, limit: int) -> tuple[WrappedKey, ...]:
        return tuple(
            [key for key in await super().outdated_keys(current, limit=10_000) if key.wrapped_by < current][:limit]
        )


class TestLaterIdsNotOutdated(MemoryContract):
    made = EarlierKeysOnly


class LimitPerKind(MemoryConversationMaintenance):
    """Returns as many keys of each kind as the limit allows together."""

    async def outdated_keys(self, current: str, *, limit: int) -> tuple[WrappedKey, ...]:
        found = await super().outdated_keys(current, limit=10_000)
        kinds = [[key for key in found if key.kind is kind] for kind in KeyKind]
        return tuple(key for keys in kinds for key in keys[:limit])


class TestLimitPerKind(MemoryContract):
    made = LimitPerKind


class OverwritesIngestKeys(MemoryConversationMaintenance):
    """Re-wraps the key of a day by its id, although it has changed since it was read."""

    def _replace(self, replacement: KeyReplacement) -> bool:
        old = replacement.old
        if old.kind is KeyKind.INGEST and old.id in self._tables.ingest_keys:
            return super()._replace(replace(replacement, old=self._tables.ingest_keys[old.id]))
        return super()._replace(replacement)


class TestChangedKeyOfDayOverwritten(MemoryContract):
    made = OverwritesIngestKeys


class OverwritesConversationKeys(MemoryConversationMaintenance):
    """Re-wraps the key of a conversation by its id, although it has changed since it was read."""

    def _replace(self, replacement: KeyReplacement) -> bool:
        known = self._tables.conversations.get(ConversationId(replacement.old.id))
        if known is None or replacement.old.wrapped_by != known.wrapped_by:
            return super()._replace(replacement)
        return super()._replace(replace(replacement, old=replace(replacement.old, key=known.data_key)))


class TestChangedKeyOverwritten(MemoryContract):
    made = OverwritesConversationKeys


class AllOrNone(MemoryConversationMaintenance):
    """Replaces no key if one of them has changed."""

    async def replace_keys(self, replacements: Sequence[KeyReplacement]) -> int:
        known = {*self._keys(lambda _: True)}
        if not all(each.old in known for each in replacements):
            return 0
        return await super().replace_keys(replacements)


class TestAllKeysOrNone(MemoryContract):
    made = AllOrNone


class CountsGiven(MemoryConversationMaintenance):
    """Returns the number of given keys."""

    async def replace_keys(self, replacements: Sequence[KeyReplacement]) -> int:
        await super().replace_keys(replacements)
        return len(replacements)


class TestGivenKeysCounted(MemoryContract):
    made = CountsGiven


class CountsConversations(MemoryConversationMaintenance):
    """Overlooks the keys of days."""

    async def count_keys(self, wrapped_by: str) -> int:
        return sum(each.wrapped_by == wrapped_by for each in self._tables.conversations.values())


class TestKeysOfDaysNotCounted(MemoryContract):
    made = CountsConversations
