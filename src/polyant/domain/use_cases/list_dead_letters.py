"""Use case: list the events of channels that failed for good, and try one again."""

from polyant.domain.audit import Actor, Change
from polyant.domain.channels import ChannelName
from polyant.domain.errors import UnknownEventError
from polyant.domain.instances import Slug
from polyant.domain.lane_work import (
    DeliveryFilter,
    DeliveryPage,
    EventFilter,
    EventId,
    EventPage,
    EventState,
)
from polyant.domain.ports.audit_log import AuditLog
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.outbox import Outbox
from polyant.domain.use_cases.show_instance import ShowInstance

_MAX_NUMBER = 2**63 - 1


class ListDeadLetters:
    """Reads events and deliveries without their texts."""

    def __init__(
        self, *, show_instance: ShowInstance, inbox: Inbox, outbox: Outbox, audit_log: AuditLog, clock: Clock
    ) -> None:
        self._show_instance = show_instance
        self._inbox = inbox
        self._outbox = outbox
        self._audit_log = audit_log
        self._clock = clock

    async def __call__(
        self, slug: Slug | None = None, channel: ChannelName | None = None, *, limit: int = 50, offset: int = 0
    ) -> EventPage:
        """Returns the dead events of the instance and the channel, or of all, the latest first.

        Raises:
            UnknownInstanceError: No instance has that slug.
        """
        return await self.events(slug, channel, state=EventState.DEAD, limit=limit, offset=offset)

    async def events(
        self,
        slug: Slug | None = None,
        channel: ChannelName | None = None,
        *,
        state: EventState | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> EventPage:
        """Returns the events in that state, or in any, the latest first.

        Raises:
            UnknownInstanceError: No instance has that slug.
        """
        instance = None if slug is None else (await self._show_instance(slug)).id
        query = EventFilter(instance=instance, channel=channel, state=state)
        return await self._inbox.list(query, limit=limit, offset=offset)

    async def doubtful_sends(
        self, slug: Slug | None = None, channel: ChannelName | None = None, *, limit: int = 50, offset: int = 0
    ) -> DeliveryPage:
        """Returns the sends with an ambiguous response of the platform, of the instance or of all, the latest first.

        Raises:
            UnknownInstanceError: No instance has that slug.
        """
        instance = None if slug is None else (await self._show_instance(slug)).id
        query = DeliveryFilter(instance=instance, channel=channel, ambiguous=True)
        return await self._outbox.list(query, limit=limit, offset=offset)

    async def replay(self, event: int, *, by: Actor, slug: Slug | None = None) -> None:
        """Lets a dead event be answered again.

        Args:
            event: The event's number in the list.
            by: The author of the change.
            slug: The instance that the event must belong to; None for any.

        Raises:
            UnknownInstanceError: No instance has that slug.
            UnknownEventError: The event doesn't exist, isn't dead or belongs to another instance.
        """
        if not 0 < event <= _MAX_NUMBER:
            raise UnknownEventError(event)
        instance = None if slug is None else (await self._show_instance(slug)).id
        query = EventFilter(instance=instance, state=EventState.DEAD, event=EventId(event))
        found = (await self._inbox.list(query, limit=1)).events
        if not found:
            raise UnknownEventError(event)
        await self._inbox.replay(EventId(event))
        change = Change(by, "channel.replay", (found[0].channel, str(event)))
        await self._audit_log.add(change.entry(self._clock.now(), instance=slug))
