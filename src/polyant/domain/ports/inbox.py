"""Port: the events that channels received."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import date
from typing import Protocol, runtime_checkable

from polyant.domain.conversations import WrappedKey
from polyant.domain.lane_work import (
    Delivery,
    EventFilter,
    EventId,
    EventPage,
    LaneWork,
    ReceivedEvent,
    TurnResult,
)
from polyant.domain.lanes import Lease


@runtime_checkable
class Inbox(Protocol):
    """Stores received events until a turn has answered each exactly once.

    Stored data survives the death of any process, and of the machine, once a method returns. Payloads are
    ciphertext. Every method raises `StorageUnavailableError` if the store is unavailable; `receive` and `finish` can
    then be repeated, because what was stored already isn't stored again.
    """

    @abstractmethod
    async def receive(self, events: Sequence[ReceivedEvent]) -> tuple[bool, ...]:
        """Stores events, and returns for each whether it is new.

        An event whose channel, account and event id are stored is a duplicate: it changes nothing, whatever its state.
        A new event makes its lane due after its `quiet` seconds of silence, but at most `longest_wait` seconds after
        the first event of the burst, and never before the end of a delay with which the lane was released. A lane that
        is leased stays leased and is due again after its release. Unknown lanes are created; known ones have this
        description from now on. A failure may leave the first of the events stored.
        """

    @abstractmethod
    async def load(self, lease: Lease, *, limit: int) -> LaneWork:
        """Returns the work of a leased lane: its open deliveries, or if there are none, its first open events.

        Events are ordered by position, then by when they were received; at most `limit` are returned, and each load
        counts as one of their attempts. Loading counts an attempt even if the process dies right afterwards. If there
        are open deliveries, events are neither returned nor counted.

        Raises:
            LeaseLostError: The lease is lost.
        """

    @abstractmethod
    async def finish(self, lease: Lease, result: TurnResult, *, seconds: float) -> tuple[Delivery, ...] | None:
        """Stores the end of events, the messages of their turn and the chunks to send in one transaction.

        The lease is extended to that many seconds from now. Returns the deliveries in their order; the first is already
        marked as being sent. Returns None and stores nothing if the result is void once the lane is woken, and it was.
        The payload of finished events is removed, unless they are dead. If the result was stored before, the call
        stores nothing and returns the turn's deliveries that are open.

        Raises:
            LeaseLostError: The lease is lost; nothing is stored.
            UnknownConversationError: The conversation was deleted; nothing is stored.
        """

    @abstractmethod
    async def list(self, query: EventFilter, *, limit: int, offset: int = 0) -> EventPage:
        """Returns the events that match, the latest received first; `total` ignores the page."""

    @abstractmethod
    async def replay(self, event: EventId) -> None:
        """Opens a dead event again, without attempts, and makes its lane due.

        Raises:
            UnknownEventError: The event doesn't exist or isn't dead.
        """

    @abstractmethod
    async def ingest_key(self, day: date, draft: WrappedKey | None = None) -> WrappedKey | None:
        """Returns the data key for payloads of that day.

        If there is none, the draft is stored and returned; without a draft, None is returned. Concurrent calls return
        the same key.
        """
