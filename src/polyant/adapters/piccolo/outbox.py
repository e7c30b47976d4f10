"""Deliveries in a table."""

from polyant.adapters.piccolo.backend import Work
from polyant.adapters.piccolo.conversation_database import ConversationDatabase
from polyant.adapters.piccolo.conversation_filters import Conditions
from polyant.adapters.piccolo.conversation_rows import DELIVERY, columns, delivery_of, duration
from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.dialects import step
from polyant.domain.errors import LeaseLostError
from polyant.domain.lane_work import DeliveryFilter, DeliveryId, DeliveryPage, SendResult
from polyant.domain.lanes import Lease
from polyant.domain.ports.outbox import Outbox

_STATEMENTS = {
    "renew": "UPDATE lanes SET due_at = @now + $3 WHERE id = $1 AND epoch = $2 AND owner IS NOT NULL RETURNING id",
    "start": """
        UPDATE channel_deliveries SET state = 'sending', attempts = attempts + 1, ambiguous = ambiguous + $3,
            updated_at = @now
        WHERE id = $1 AND lane = $2 AND state IN ('queued', 'sending') RETURNING id
    """,
    "record": """
        UPDATE channel_deliveries SET state = $2::text, platform_id = $3, error = $4, updated_at = @now,
            content = CASE WHEN $2::text = 'sent' THEN NULL ELSE content END
        WHERE id = $1 AND state <> 'sent'
    """,
    "note_status": """
        UPDATE channel_deliveries SET status = $4, updated_at = @now, error = coalesce($5::text, error),
            state = CASE WHEN $5::text IS NULL THEN state ELSE 'failed' END
        WHERE channel = $1 AND account = $2 AND platform_id = $3 RETURNING id
    """,
}
_START = """
    WITH lane AS (
        UPDATE lanes SET due_at = @now + $3 WHERE id = $1 AND epoch = $2 AND owner IS NOT NULL RETURNING id
    ), started AS (
        UPDATE channel_deliveries AS delivery SET state = 'sending', attempts = attempts + 1,
            ambiguous = ambiguous + $5, updated_at = @now
        FROM lane WHERE delivery.id = $4 AND delivery.lane = lane.id AND state IN ('queued', 'sending')
        RETURNING delivery.id
    )
    SELECT (SELECT count(*) FROM lane), (SELECT count(*) FROM started)
"""
"""The statements `renew` and `start` in one round trip, for PostgreSQL."""


class PiccoloOutbox(Outbox):
    """Keeps deliveries in the database.

    Args:
        database: Must be open and migrated at the first call.
    """

    def __init__(self, *, database: PiccoloDatabase) -> None:
        self._database = ConversationDatabase(database, {**_STATEMENTS, "start_in_one": _START})

    async def start(self, lease: Lease, delivery: DeliveryId, *, seconds: float, ambiguous: bool = False) -> bool:
        values = lease.lane.id, lease.epoch, duration(seconds)
        if self._database.is_sqlite:
            leased, started = await self._database.transact(lambda: self._start(values, delivery, ambiguous=ambiguous))
        else:
            ((leased, started),) = await self._database.write("start_in_one", *values, delivery, int(ambiguous))
        if not leased:
            raise LeaseLostError
        return bool(started)

    def _start(self, lane: tuple[object, ...], delivery: DeliveryId, *, ambiguous: bool) -> Work[tuple[int, int]]:
        leased = yield from step(self._database.sql["renew"], *lane)
        if not leased:
            return 0, 0
        started = yield from step(self._database.sql["start"], delivery, lane[0], int(ambiguous))
        return 1, len(started)

    async def record(self, delivery: DeliveryId, result: SendResult) -> None:
        await self._database.write("record", delivery, result.state.value, result.platform_id, result.error)

    async def note_status(
        self, *, channel: str, account: str, platform_id: str, status: str, error: str | None = None
    ) -> bool:
        return bool(await self._database.write("note_status", channel, account, platform_id, status, error))

    async def list(self, query: DeliveryFilter, *, limit: int, offset: int = 0) -> DeliveryPage:
        conditions = Conditions()
        conditions.equal("instance", query.instance)
        conditions.equal("channel", query.channel)
        conditions.equal("state", query.state)
        if query.ambiguous is not None:
            conditions.add(f"{'' if query.ambiguous else 'NOT '}(ambiguous > 0 OR state = 'unknown')")
        found, total = await conditions.page(
            self._database, "channel_deliveries", columns(DELIVERY), "id DESC", limit=limit, offset=offset
        )
        return DeliveryPage(tuple(delivery_of(row) for row in found), total)
