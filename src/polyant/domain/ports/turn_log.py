"""Port: what did the turns of an instance cost?"""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol, runtime_checkable

from polyant.domain.instances import Slug
from polyant.domain.turn_records import TurnPage, TurnRecord


@runtime_checkable
class TurnLog(Protocol):
    """Keeps the figures of recent turns."""

    @abstractmethod
    def note(self, record: TurnRecord) -> None:
        """Takes note of a turn and returns at once: it is stored later, with others.

        Turns that aren't stored yet are stored when the log is closed and lost in a crash; a crash of the whole machine
        may lose those of the last minute. While the store doesn't answer, they are kept, and when that takes long, the
        oldest are dropped; noting never fails and never waits.
        """

    @abstractmethod
    async def list(self, slug: Slug, *, limit: int, offset: int = 0, since: datetime | None = None) -> TurnPage:
        """Returns the turns of that slug that are stored, newest first; those older than the log keeps are gone.

        With `since`, the creation time of the instance that has the slug now, those of an earlier one are left out.
        Of one moment, the turn noted last is first. `limit` and `offset` cut the page, `total` counts without them.

        Raises:
            StorageUnavailableError: The store doesn't answer.
        """
