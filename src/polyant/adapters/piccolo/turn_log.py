"""Turn metrics in a table, written in the background."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import msgspec
from piccolo.custom_types import Combinable
from piccolo.query import Select

from polyant.adapters.piccolo.database import PiccoloDatabase
from polyant.adapters.piccolo.management_tables import TurnRow
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.injectables import TurnLogDays
from polyant.domain.instances import Slug
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.turn_log import TurnLog
from polyant.domain.turn_records import FAILED_OUTCOMES, TurnActivity, TurnFigures, TurnPage, TurnRecord

_logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
_BATCH = 500
_FIRST_EXPIRY_SECONDS = 60.0  # the tables may not exist yet when the log is opened
_EXPIRY_SECONDS = 3_600.0
_EXPIRY_BATCH = 1_000
_CLOSING_SECONDS = 5.0
_DROP_REPORT_SECONDS = 60.0

_FIELDS = TurnRecord.__struct_fields__
_INTO = f"INSERT INTO turns ({', '.join(_FIELDS)})"
_INSERT = {
    "sqlite": _INTO + f" VALUES ({', '.join('?' for _ in _FIELDS)})",
    "postgres": _INTO + f" VALUES ({', '.join(f'${number}' for number, _ in enumerate(_FIELDS, 1))})",
}
_TIME = {"sqlite": "{}", "postgres": "CAST({} AS timestamptz)"}
# The index on slug and time finds the last turn, and the turns since `since`, without reading others.
_ACTIVITY = """
    WITH instances (slug, begins, since) AS (VALUES %s)
    SELECT instances.slug, count(turns.id) AS turns, count(CASE WHEN turns.outcome IN (%s) THEN 1 END) AS failed,
        (SELECT max(last.at) FROM turns AS last WHERE last.slug = instances.slug AND last.at >= instances.begins)
            AS last_at
    FROM instances LEFT JOIN turns ON turns.slug = instances.slug AND turns.at >= instances.since
    GROUP BY instances.slug, instances.begins
"""
# One query over the index on slug and time: the sums, and the duration in the middle of the sorted ones.
_FIGURES = """
    WITH found AS (
        SELECT outcome, milliseconds, prompt_tokens, completion_tokens,
            row_number() OVER (ORDER BY milliseconds) AS place, count(*) OVER () AS turns
        FROM turns WHERE slug = {} AND at >= {}
    )
    SELECT count(*) AS turns, count(CASE WHEN outcome IN (%s) THEN 1 END) AS failed,
        max(CASE WHEN place = (turns + 1) / 2 THEN milliseconds END) AS median_milliseconds,
        CAST(coalesce(sum(prompt_tokens), 0) AS bigint) AS prompt_tokens,
        CAST(coalesce(sum(completion_tokens), 0) AS bigint) AS completion_tokens
    FROM found
"""
_MAX_SEARCHED = 5_000
# The primary key finds the latest rows without reading others.
_LAST = f"""
    SELECT max(id) AS id FROM turns
    WHERE id > (SELECT coalesce(max(id), 0) FROM turns) - {_MAX_SEARCHED} AND provider IS NOT NULL AND at >= {{}}
    GROUP BY provider
"""


class PiccoloTurnLog(TurnLog):
    """Keeps turns in the database; while it is open, buffers them in memory and writes them in batches.

    Turns are written every second, or when 500 are waiting. If a write fails and it is unknown whether it took effect,
    it is repeated, so a turn may be stored twice. SQLite doesn't wait for the disk, so turns of the last minute may be
    lost if the machine crashes.

    Args:
        database: Must be open and migrated at the first write.
        clock: Determines the age of turns and the pauses.
        turn_log_days: How many days a turn is kept.
        max_waiting: The maximum number of turns in memory; then the oldest are dropped, which is logged once a minute.
    """

    def __init__(
        self, *, database: PiccoloDatabase, clock: Clock, turn_log_days: TurnLogDays, max_waiting: int = 10_000
    ) -> None:
        self._database = database
        self._clock = clock
        self._max_age = timedelta(days=turn_log_days)
        self._max_waiting = max_waiting
        self._turns = database.bind(TurnRow)
        self._waiting = deque[TurnRecord]()
        self._flush_requested = asyncio.Event()
        self._closing = False
        self._expires_next = clock.monotonic() + _FIRST_EXPIRY_SECONDS
        self._running: asyncio.Task[None] | None = None
        self._dropped = 0
        self._reports_drops_next = float("-inf")

    async def __aenter__(self) -> Self:
        """Starts the background writer."""
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Writes the waiting turns, for up to 5 seconds."""
        self._closing = True
        self._flush_requested.set()
        if self._running is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING_SECONDS):
                    await self._running
        if self._waiting:
            _logger.warning("The metrics of %d turns are lost: the database doesn't respond", len(self._waiting))

    def note(self, record: TurnRecord) -> None:
        self._waiting.append(record)
        self._drop_oldest()
        if len(self._waiting) == _BATCH:  # not for more: then the database has failed to store them
            self._flush_requested.set()

    async def list(self, slug: Slug, *, limit: int, offset: int = 0, since: datetime | None = None) -> TurnPage:
        begin = max(self._oldest(), since or self._oldest())
        return await self._database.read(lambda: self._list(slug, limit, offset, begin))

    async def activity(self, begins: Mapping[Slug, datetime], *, since: datetime) -> Mapping[Slug, TurnActivity]:
        if not begins:
            return {}
        time, oldest = _TIME[self._database.dialect], self._oldest()
        values: list[object] = []
        for slug, created_at in begins.items():
            begin = max(created_at, oldest)
            values += [slug, begin, max(begin, since)]
        rows = ", ".join([f"({{}}, {time}, {time})"] * len(begins))
        outcomes = ", ".join(f"'{outcome}'" for outcome in sorted(FAILED_OUTCOMES))
        found = await self._database.read(lambda: self._turns.raw(_ACTIVITY % (rows, outcomes), *values).run())
        # SQLite doesn't know the type of an expression, and returns a time as text.
        return {row.pop("slug"): msgspec.convert(row, TurnActivity) for row in found}

    async def figures(self, slug: Slug, *, since: datetime) -> TurnFigures:
        begin = max(since, self._oldest())
        outcomes = ", ".join(f"'{outcome}'" for outcome in sorted(FAILED_OUTCOMES))
        found = await self._database.read(lambda: self._turns.raw(_FIGURES % outcomes, slug, begin).run())
        return msgspec.convert(found[0], TurnFigures)

    async def last_by_provider(self) -> Mapping[str, TurnRecord]:
        return await self._database.read(self._last_by_provider)

    async def _last_by_provider(self) -> Mapping[str, TurnRecord]:
        ids = [row["id"] for row in await self._turns.raw(_LAST, self._oldest())]
        if not ids:
            return {}
        rows = await self._turns.select().where(self._turns.id.is_in(ids))
        return {row["provider"]: msgspec.convert(row, TurnRecord) for row in rows}

    async def _run(self) -> None:
        closing = False
        while not closing:
            await self._pause()
            closing = self._closing
            await self._try(self._flush)
            await self._try(self._expire)

    async def _pause(self) -> None:
        """Returns after one second, or immediately when a flush is requested."""
        waits = [
            asyncio.ensure_future(wait) for wait in (self._clock.sleep(_PAUSE_SECONDS), self._flush_requested.wait())
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._flush_requested.clear()

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except StorageUnavailableError:
            _logger.debug("The database doesn't respond: %d turns wait to be written", len(self._waiting))
        except Exception:
            _logger.exception("Turns could not be written or removed")

    async def _flush(self) -> None:
        while self._waiting:
            await self._write([self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))])

    async def _write(self, batch: Sequence[TurnRecord]) -> None:
        rows = [msgspec.structs.astuple(record) for record in batch]
        try:
            await self._database.run_many(_INSERT[self._database.dialect], rows)
        except (StorageUnavailableError, asyncio.CancelledError):
            self._waiting.extendleft(reversed(batch))
            self._drop_oldest()
            raise
        except Exception:
            if len(batch) == 1:
                _logger.exception("A turn could not be written")
            else:
                await self._write_each(batch)

    async def _write_each(self, batch: Sequence[TurnRecord]) -> None:
        """Writes the turns one by one, so that one the database refuses doesn't take the others along."""
        for index, record in enumerate(batch):
            try:
                await self._write([record])
            except (StorageUnavailableError, asyncio.CancelledError):
                self._waiting.extend(batch[index + 1 :])
                self._drop_oldest()
                raise

    def _drop_oldest(self) -> None:
        excess = len(self._waiting) - self._max_waiting
        if excess <= 0:
            return
        for _ in range(excess):
            self._waiting.popleft()
        self._dropped += excess
        now = self._clock.monotonic()
        if now >= self._reports_drops_next:
            self._reports_drops_next = now + _DROP_REPORT_SECONDS
            _logger.warning("The database stores no turns: metrics dropped so far: %d", self._dropped)

    async def _expire(self) -> None:
        """Removes one batch of expired turns; when no full batch is left, pauses for an hour."""
        now = self._clock.monotonic()
        if now < self._expires_next:
            return
        old = self._turns.select(self._turns.id).where(self._turns.at < self._oldest()).limit(_EXPIRY_BATCH)
        removal = self._turns.delete().where(self._turns.id.is_in(old)).returning(self._turns.id)
        if len(await self._database.write(removal.run)) < _EXPIRY_BATCH:
            self._expires_next = now + _EXPIRY_SECONDS

    async def _list(self, slug: Slug, limit: int, offset: int, begin: datetime) -> TurnPage:
        rows = await self._selection(slug, begin).limit(limit).offset(offset)
        total = await self._turns.count().where(*self._conditions(slug, begin))
        return TurnPage(tuple(msgspec.convert(row, TurnRecord) for row in rows), total)

    def _selection(self, slug: Slug, begin: datetime) -> Select[TurnRow]:
        newest_first = self._turns.select().order_by(self._turns.at, self._turns.id, ascending=False)
        return newest_first.where(*self._conditions(slug, begin))

    def _conditions(self, slug: Slug, begin: datetime) -> tuple[Combinable, ...]:
        return self._turns.slug == slug, self._turns.at >= begin

    def _oldest(self) -> datetime:
        return self._clock.now() - self._max_age
