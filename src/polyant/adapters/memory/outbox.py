"""Deliveries in memory."""

import msgspec

from polyant.adapters.memory.conversation_tables import OPEN_DELIVERIES
from polyant.adapters.memory.store import MemoryStore
from polyant.domain.lane_work import (
    Delivery,
    DeliveryFilter,
    DeliveryId,
    DeliveryPage,
    DeliveryState,
    SendResult,
)
from polyant.domain.lanes import Lease
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.outbox import Outbox


class MemoryOutbox(Outbox):
    """Keeps deliveries in memory.

    Args:
        store: The store that the adapters in memory share.
        clock: Determines the times of changes.
    """

    def __init__(self, *, store: MemoryStore, clock: Clock) -> None:
        self._tables = store.conversations
        self._clock = clock

    async def start(self, lease: Lease, delivery: DeliveryId, *, seconds: float, ambiguous: bool = False) -> bool:
        row = self._tables.leased(lease)
        row.due_at = self._clock.now().timestamp() + seconds
        known = self._tables.deliveries.get(delivery)
        if known is None or known.lane != lease.lane.id or known.state not in OPEN_DELIVERIES:
            return False
        self._tables.deliveries[delivery] = msgspec.structs.replace(
            known,
            state=DeliveryState.SENDING,
            attempts=known.attempts + 1,
            ambiguous=known.ambiguous + ambiguous,
            updated_at=self._clock.now(),
        )
        return True

    async def record(self, delivery: DeliveryId, result: SendResult) -> None:
        known = self._tables.deliveries.get(delivery)
        if known is not None and known.state is not DeliveryState.SENT:
            self._tables.deliveries[delivery] = msgspec.structs.replace(
                known,
                state=result.state,
                text=None if result.state is DeliveryState.SENT else known.text,
                platform_id=result.platform_id,
                error=result.error,
                updated_at=self._clock.now(),
            )

    async def note_status(
        self, *, channel: str, account: str, platform_id: str, status: str, error: str | None = None
    ) -> bool:
        identity = (channel, account, platform_id)
        found = [
            each
            for each in self._tables.deliveries.values()
            if (each.channel, each.account, each.platform_id) == identity
        ]
        for each in found:
            self._tables.deliveries[each.id] = msgspec.structs.replace(
                each,
                status=status,
                state=each.state if error is None else DeliveryState.FAILED,
                error=error or each.error,
                updated_at=self._clock.now(),
            )
        return bool(found)

    async def list(self, query: DeliveryFilter, *, limit: int, offset: int = 0) -> DeliveryPage:
        found = [each for each in self._tables.deliveries.values() if _matches(each, query)]
        found.sort(key=lambda each: each.id, reverse=True)
        return DeliveryPage(tuple(found[offset : offset + limit]), len(found))


def _matches(delivery: Delivery, query: DeliveryFilter) -> bool:
    is_ambiguous = delivery.ambiguous > 0 or delivery.state is DeliveryState.UNKNOWN
    return (
        query.instance in {None, delivery.instance}
        and query.channel in {None, delivery.channel}
        and query.state in {None, delivery.state}
        and query.ambiguous in {None, is_ambiguous}
    )
