"""What is measured of requests and turns, and by whom: nobody, unless the operator asks for it."""

from abc import abstractmethod
from typing import Protocol

from polyant.domain.chat import ToolFinished
from polyant.domain.turn_records import TurnRecord


class Metrics(Protocol):
    """Is told what happens; returns at once and never fails."""

    @abstractmethod
    def request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Counts an answered request; the route is the path with its parameters' names, empty for unknown ones."""

    @abstractmethod
    def turn(self, record: TurnRecord, *, provider: str) -> None:
        """Counts a turn that ended, however it did."""

    @abstractmethod
    def tool(self, event: ToolFinished) -> None:
        """Counts a tool's run."""

    @abstractmethod
    def throttled(self) -> None:
        """Counts a chat request that was over its limit."""


class NoMetrics(Metrics):
    """Measures nothing."""

    def request(self, *, method: str, route: str, status: int, seconds: float) -> None: ...

    def turn(self, record: TurnRecord, *, provider: str) -> None: ...

    def tool(self, event: ToolFinished) -> None: ...

    def throttled(self) -> None: ...
