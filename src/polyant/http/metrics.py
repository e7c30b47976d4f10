"""The interface for request metrics. Turn metrics have their own port: `TurnObserver`."""

from abc import abstractmethod
from typing import Protocol


class Metrics(Protocol):
    """Counts requests; its methods return immediately and never fail."""

    @abstractmethod
    def request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a completed request.

        Args:
            method: The HTTP method.
            route: The path template, such as `/api/users/{user_id}`; empty for an unknown path.
            status: The HTTP status.
            seconds: The time until the end of the response.
        """

    @abstractmethod
    def throttled(self) -> None:
        """Counts a chat request that exceeded the rate limit."""


class NoMetrics(Metrics):
    """Discards all metrics."""

    def request(self, *, method: str, route: str, status: int, seconds: float) -> None: ...

    def throttled(self) -> None: ...
