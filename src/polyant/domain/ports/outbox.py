"""Port: the chunks that channels send."""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from polyant.domain.lane_work import DeliveryFilter, DeliveryId, DeliveryPage, SendResult
from polyant.domain.lanes import Lease


@runtime_checkable
class Outbox(Protocol):
    """The ledger of what was sent, chunk by chunk, so that a chunk is sent again only if nobody knows its outcome.

    `Inbox.finish` fills it, and `Inbox.load` returns what is open. Stored data survives the death of any process,
    and of the machine, once a method returns. Every method raises `StorageUnavailableError` if the store is
    unavailable; every call can then be repeated.
    """

    @abstractmethod
    async def start(self, lease: Lease, delivery: DeliveryId, *, seconds: float, ambiguous: bool = False) -> bool:
        """Marks a delivery as being sent, before it is; counts an attempt, and extends the lease to those seconds.

        Returns False and changes nothing but the lease if the delivery isn't open, because its outcome is known.

        Args:
            lease: The lease of the delivery's lane.
            delivery: The delivery.
            seconds: The time until the lease expires.
            ambiguous: Whether an earlier attempt may have succeeded, which is counted.

        Raises:
            LeaseLostError: The lease is lost.
        """

    @abstractmethod
    async def record(self, delivery: DeliveryId, result: SendResult) -> None:
        """Stores the outcome of an attempt, which is a fact even if the lease is lost meanwhile.

        The text is removed once the chunk is sent. A delivery that is sent stays sent. Unknown ids change nothing.
        """

    @abstractmethod
    async def note_status(
        self, *, channel: str, account: str, platform_id: str, status: str, error: str | None = None
    ) -> bool:
        """Stores what the platform reports about a sent chunk; returns False if the ledger has no such chunk.

        An error makes the delivery failed.
        """

    @abstractmethod
    async def list(self, query: DeliveryFilter, *, limit: int, offset: int = 0) -> DeliveryPage:
        """Returns the deliveries that match, the latest created first; `total` ignores the page."""
