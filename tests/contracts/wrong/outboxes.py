"""Outboxes that each break one promise."""

import pytest
from msgspec.structs import replace

from polyant.adapters.memory.outbox import MemoryOutbox
from polyant.domain.lane_work import DeliveryFilter, DeliveryId, DeliveryPage, DeliveryState, SendResult
from polyant.domain.lanes import Lease
from polyant.testing.outbox import OutboxContract
from support.conversation_stores import MemoryConversationStoreRig


class MemoryContract(OutboxContract):
    outbox: type[MemoryOutbox]

    @pytest.fixture
    def rig(self) -> MemoryConversationStoreRig:
        rig = MemoryConversationStoreRig()
        rig.outbox = self.outbox(store=rig.store, clock=rig.clock)
        return rig


class StartsAgain(MemoryOutbox):
    """Starts a chunk whatever its outcome was."""

    async def start(self, lease: Lease, delivery: DeliveryId, *, seconds: float, ambiguous: bool = False) -> bool:
        known = self._tables.deliveries.get(delivery)
        if known is not None and known.state is DeliveryState.SENT:
            return True
        return await super().start(lease, delivery, seconds=seconds, ambiguous=ambiguous)


class TestSentChunkStarted(MemoryContract):
    outbox = StartsAgain


class CountsSettled(MemoryOutbox):
    """Counts an attempt of a chunk that isn't open."""

    async def start(self, lease: Lease, delivery: DeliveryId, *, seconds: float, ambiguous: bool = False) -> bool:
        is_open = await super().start(lease, delivery, seconds=seconds, ambiguous=ambiguous)
        known = self._tables.deliveries.get(delivery)
        if not is_open and known is not None:
            self._tables.deliveries[delivery] = replace(known, attempts=known.attempts + 1)
        return is_open


class TestSettledChunkCounted(MemoryContract):
    outbox = CountsSettled


class StartsWithoutLease(MemoryOutbox):
    """Doesn't check who has the lane."""

    async def start(self, lease: Lease, delivery: DeliveryId, *, seconds: float, ambiguous: bool = False) -> bool:
        row = self._tables.lanes[lease.lane.id]
        return await super().start(
            replace(lease, epoch=row.epoch, owner=row.owner or ""), delivery, seconds=seconds, ambiguous=ambiguous
        )


class TestStartedWithoutLease(MemoryContract):
    outbox = StartsWithoutLease


class KeepsLease(MemoryOutbox):
    """Leaves the lease as long as it was."""

    async def start(self, lease: Lease, delivery: DeliveryId, *, seconds: float, ambiguous: bool = False) -> bool:
        ends_at = self._tables.leased(lease).due_at
        is_open = await super().start(lease, delivery, seconds=seconds, ambiguous=ambiguous)
        self._tables.leased(lease).due_at = ends_at
        return is_open


class TestLeaseNotExtended(MemoryContract):
    outbox = KeepsLease


class KeepsLeaseOfSettled(MemoryOutbox):
    """Extends the lease only if there is something to send."""

    async def start(self, lease: Lease, delivery: DeliveryId, *, seconds: float, ambiguous: bool = False) -> bool:
        ends_at = self._tables.leased(lease).due_at
        is_open = await super().start(lease, delivery, seconds=seconds, ambiguous=ambiguous)
        if not is_open:
            self._tables.leased(lease).due_at = ends_at
        return is_open


class TestLeaseOfSettledNotExtended(MemoryContract):
    outbox = KeepsLeaseOfSettled


class ForgetsDoubt(MemoryOutbox):
    """Doesn't count ambiguous attempts."""

    async def start(self, lease: Lease, delivery: DeliveryId, *, seconds: float, ambiguous: bool = False) -> bool:
        return await super().start(lease, delivery, seconds=seconds)


class TestDoubtForgotten(MemoryContract):
    outbox = ForgetsDoubt


class LastResultWins(MemoryOutbox):
    """Overwrites the outcome of a chunk that was sent."""

    async def record(self, delivery: DeliveryId, result: SendResult) -> None:
        known = self._tables.deliveries.get(delivery)
        if known is not None:
            self._tables.deliveries[delivery] = replace(known, state=DeliveryState.SENDING)
        await super().record(delivery, result)


class TestLastResultWins(MemoryContract):
    outbox = LastResultWins


class KeepsTexts(MemoryOutbox):
    """Keeps the text of a chunk that was sent."""

    async def record(self, delivery: DeliveryId, result: SendResult) -> None:
        known = self._tables.deliveries.get(delivery)
        await super().record(delivery, result)
        if known is not None:
            self._tables.deliveries[delivery] = replace(self._tables.deliveries[delivery], text=known.text)


class TestTextsKept(MemoryContract):
    outbox = KeepsTexts


class DropsTexts(MemoryOutbox):
    """Removes the text with the first outcome, so that the chunk can't be sent again."""

    async def record(self, delivery: DeliveryId, result: SendResult) -> None:
        await super().record(delivery, result)
        known = self._tables.deliveries.get(delivery)
        if known is not None:
            self._tables.deliveries[delivery] = replace(known, text=None)


class TestTextsDropped(MemoryContract):
    outbox = DropsTexts


class RecordsForHolder(MemoryOutbox):
    """Drops an outcome that arrives when the lane has another holder."""

    async def record(self, delivery: DeliveryId, result: SendResult) -> None:
        known = self._tables.deliveries.get(delivery)
        if known is None or self._tables.lanes[known.lane].epoch == 1:
            await super().record(delivery, result)


class TestLateResultDropped(MemoryContract):
    outbox = RecordsForHolder


class ForgetsAccount(MemoryOutbox):
    """Finds the chunk by the platform's id and the channel alone."""

    async def note_status(
        self, *, channel: str, account: str, platform_id: str, status: str, error: str | None = None
    ) -> bool:
        found = [each.account for each in self._tables.deliveries.values() if each.platform_id == platform_id]
        return await super().note_status(
            channel=channel, account=found[0] if found else "", platform_id=platform_id, status=status, error=error
        )


class TestAccountForgotten(MemoryContract):
    outbox = ForgetsAccount


class ForgetsChannel(MemoryOutbox):
    """Finds the chunk by the platform's id and the account alone."""

    async def note_status(
        self, *, channel: str, account: str, platform_id: str, status: str, error: str | None = None
    ) -> bool:
        found = [each.channel for each in self._tables.deliveries.values() if each.platform_id == platform_id]
        return await super().note_status(
            channel=found[0] if found else "", account=account, platform_id=platform_id, status=status, error=error
        )


class TestChannelForgotten(MemoryContract):
    outbox = ForgetsChannel


class AcceptsAnyStatus(MemoryOutbox):
    """Says that it knows every chunk."""

    async def note_status(
        self, *, channel: str, account: str, platform_id: str, status: str, error: str | None = None
    ) -> bool:
        await super().note_status(channel=channel, account=account, platform_id=platform_id, status=status, error=error)
        return True


class TestAnyStatusAccepted(MemoryContract):
    outbox = AcceptsAnyStatus


class IgnoresErrors(MemoryOutbox):
    """Stores the platform's error, and leaves the chunk sent."""

    async def note_status(
        self, *, channel: str, account: str, platform_id: str, status: str, error: str | None = None
    ) -> bool:
        return await super().note_status(channel=channel, account=account, platform_id=platform_id, status=status)


class TestErrorsIgnored(MemoryContract):
    outbox = IgnoresErrors


class OldestFirst(MemoryOutbox):
    """Forgets DESC."""

    async def list(self, query: DeliveryFilter, *, limit: int, offset: int = 0) -> DeliveryPage:
        page = await super().list(query, limit=10_000)
        return DeliveryPage(page.deliveries[::-1][offset : offset + limit], page.total)


class TestOldestFirst(MemoryContract):
    outbox = OldestFirst


class CountsPage(MemoryOutbox):
    """Reports the size of the page as the total."""

    async def list(self, query: DeliveryFilter, *, limit: int, offset: int = 0) -> DeliveryPage:
        page = await super().list(query, limit=limit, offset=offset)
        return DeliveryPage(page.deliveries, len(page.deliveries))


class TestTotalOfPage(MemoryContract):
    outbox = CountsPage
