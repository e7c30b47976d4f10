"""The interface for metrics of channels."""

from abc import abstractmethod
from typing import Protocol


class ChannelMetrics(Protocol):
    """Counts events; its methods return immediately and never fail."""

    @abstractmethod
    def ended(self, *, channel: str, outcome: str, number: int) -> None:
        """Counts events that ended.

        Args:
            channel: The name of the channel.
            outcome: `answered`, `ignored`, `limited` or `dead`.
            number: The number of events.
        """

    @abstractmethod
    def backlog(self, *, lag: float, dead_letters: int) -> None:
        """Records the events that wait.

        Args:
            lag: The seconds for which the oldest event has been due; 0 if none is.
            dead_letters: The number of dead letters in the store.
        """


class NoChannelMetrics(ChannelMetrics):
    """Discards all metrics."""

    def ended(self, *, channel: str, outcome: str, number: int) -> None: ...

    def backlog(self, *, lag: float, dead_letters: int) -> None: ...
