"""Port: storage of turn metrics."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, runtime_checkable

from polyant.domain.instances import Slug
from polyant.domain.turn_records import TurnActivity, TurnFigures, TurnPage, TurnRecord


@runtime_checkable
class TurnLog(Protocol):
    """Stores the metrics of recent turns."""

    @abstractmethod
    def note(self, record: TurnRecord) -> None:
        """Queues a turn record and returns immediately; records are stored later, in batches.

        Closing the log stores the queued records. A crash of the process loses them, and a crash of the machine may
        lose the records of the last minute. While the store is unavailable, records stay queued; during a long outage
        the oldest are dropped. This method never fails and never waits.
        """

    @abstractmethod
    async def list(self, slug: Slug, *, limit: int, offset: int = 0, since: datetime | None = None) -> TurnPage:
        """Returns the stored turns of that slug, newest first, without those past the retention period.

        Pass the current instance's creation time as `since` to exclude the turns of an earlier instance with the same
        slug. Turns of the same moment are ordered by `note` call, the latest first. `limit` and `offset` select the
        page; `total` ignores them.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """

    @abstractmethod
    async def activity(self, begins: Mapping[Slug, datetime], *, since: datetime) -> Mapping[Slug, TurnActivity]:
        """Returns the activity of each of these slugs since that moment, without turns past the retention period.

        The cost depends on the number of slugs and on their turns since that moment, not on the number of stored turns.

        Args:
            begins: The slugs, each with the creation time of its instance: turns before it belong to an earlier
                instance with the same slug, and don't count.
            since: The start of the period in which turns are counted.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """

    @abstractmethod
    async def figures(self, slug: Slug, *, since: datetime) -> TurnFigures:
        """Returns the figures of the slug's turns since that moment, without turns past the retention period.

        Their cost depends on the number of these turns, not on the number of stored turns.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """

    @abstractmethod
    async def last_by_provider(self) -> Mapping[str, TurnRecord]:
        """Returns the turn of each provider that was stored last, without turns past the retention period.

        Only the latest 5,000 stored turns are searched, so that the cost doesn't depend on their number. A provider
        without a turn among them is missing.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
