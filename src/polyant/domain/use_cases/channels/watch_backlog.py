"""Measures the events that wait, while the server runs."""

import logging

from polyant.domain.channel_metrics import ChannelMetrics
from polyant.domain.errors import StorageUnavailableError
from polyant.domain.lane_work import EventFilter, EventState
from polyant.domain.ports.clock import Clock
from polyant.domain.ports.inbox import Inbox
from polyant.domain.ports.lanes import Lanes

_logger = logging.getLogger(__name__)

_ROUND_SECONDS = 15.0


class WatchBacklog:
    """Records the backlog every 15 s, if metrics are on.

    Args:
        inbox: Counts dead letters.
        lanes: Knows the oldest event that is due.
        clock: Waits.
        metrics: The metrics to update; None if metrics are off.
    """

    def __init__(self, *, inbox: Inbox, lanes: Lanes, clock: Clock, metrics: ChannelMetrics | None = None) -> None:
        self._inbox = inbox
        self._lanes = lanes
        self._clock = clock
        self._metrics = metrics

    async def run(self) -> None:
        """Measures until it is cancelled; returns immediately if metrics are off."""
        while self._metrics is not None:
            try:
                await self.measure(self._metrics)
            except StorageUnavailableError:
                _logger.debug("The database doesn't respond: the backlog of channels isn't measured")
            except Exception:
                _logger.exception("The backlog of channels can't be measured")
            await self._clock.sleep(_ROUND_SECONDS)

    async def measure(self, metrics: ChannelMetrics) -> None:
        """Records the figures of now.

        Raises:
            StorageUnavailableError: The store is unavailable.
        """
        due_in = await self._lanes.due_in()
        dead = await self._inbox.list(EventFilter(state=EventState.DEAD), limit=1)
        metrics.backlog(lag=max(0.0, -(due_in or 0.0)), dead_letters=dead.total)
