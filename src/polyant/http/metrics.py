"""Counts requests; nothing, unless the operator asks for metrics. Turns have observers, see `TurnObserver`."""

from abc import abstractmethod
from typing import Protocol


class Metrics(Protocol):
    """Is told what happens; returns at once and never fails."""

    @abstractmethod
    def request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Counts an answered request; the route is the path with its parameters' names, empty for unknown ones."""

    @abstractmethod
    def throttled(self) -> None:
        """Counts a chat request that was over its limit."""


class NoMetrics(Metrics):
    """Measures nothing."""

    def request(self, *, method: str, route: str, status: int, seconds: float) -> None: ...

    def throttled(self) -> None: ...
