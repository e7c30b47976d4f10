"""Port: the lanes in which the turns of one peer run one after another."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from polyant.domain.conversations import LaneId
from polyant.domain.lane_work import EventId
from polyant.domain.lanes import FirstMessage, Lane, Lease


@runtime_checkable
class Lanes(Protocol):
    """Leases lanes to one holder at a time, across all processes and hosts that share the store.

    A lane is free if nobody holds a lease on it, or if the lease has expired. Times are those of the store, so clocks
    of hosts needn't agree. Durations are in seconds. Every method raises `StorageUnavailableError` if the store is
    unavailable; whether the change took effect is then unknown.
    """

    @abstractmethod
    async def acquire(
        self,
        lane: Lane,
        *,
        owner: str,
        seconds: float,
        newest: int | None = None,
        tokens: int | None = None,
        first: FirstMessage | None = None,
    ) -> Lease | None:
        """Leases this lane for that many seconds, or returns None if it isn't free; returns immediately.

        An unknown lane is created; a known one has this description from now on. Of concurrent calls, one gets the
        lease. It is for lanes of the kinds `api` and `account`, and works for all. With `newest`, the lease may contain
        what `ConversationRepo.current` returns for it and `tokens`; a store that would have to wait for it leaves it
        out, and may leave out messages before the `window_start` of a budget of that many messages. With `first`, the
        store may write that message together with the lease, as `ConversationRepo.append` does, and says so in the
        lease. It writes nothing if another conversation is the lane's current one, or if the message is stored already.
        """

    @abstractmethod
    async def claim(self, *, owner: str, seconds: float) -> Lease | None:
        """Leases the lane of the kind `channel` that has been due longest, or returns None if none is due.

        A lane is due once it received an event and its burst is over, once its holder released it with work left, or
        once the lease of its holder has expired. Of concurrent calls, each gets another lane.
        """

    @abstractmethod
    async def due_in(self) -> float | None:
        """Returns the seconds until the next lane of the kind `channel` is due, or None if none will be.

        A negative number means that a lane has been due for so long. The call changes nothing and is cheap.
        """

    @abstractmethod
    async def renew(self, lease: Lease, *, seconds: float) -> int:
        """Extends a lease to that many seconds from now, and returns the number of events that the lane received.

        A lease that has expired can be renewed until another holder takes the lane.

        Raises:
            LeaseLostError: The lease was released, or the lane has another holder.
        """

    @abstractmethod
    async def release(
        self,
        lease: Lease,
        *,
        again: bool = False,
        delay: float = 0.0,
        uncounted: Sequence[EventId] = (),
        uncounted_if_lost: bool = False,
    ) -> None:
        """Ends a lease; does nothing if it is lost, except with `uncounted_if_lost`.

        A lane of the kind `channel` is due again after the delay if it received an event since its work was loaded
        (its count isn't that of the lease), or with `again`; otherwise it is idle.

        Args:
            lease: The lease, as the last load of work returned it.
            again: Whether work is left.
            delay: The seconds for which the lane isn't due, even if it receives events.
            uncounted: The events that were loaded but not tried, for which the load doesn't count as an attempt.
            uncounted_if_lost: Whether the load of open events doesn't count even if the lease is lost, for example
                because it expired during an outage of the store.
        """

    @abstractmethod
    async def move(self, source: LaneId, target: Lane) -> None:
        """Moves the work and the conversation of a lane to another one, which is created if it is unknown.

        Events and deliveries keep their order. The target keeps its own conversation if it has one. The source is
        removed, so that its lease is lost. An unknown source changes nothing.
        """
