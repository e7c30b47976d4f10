"""Port: the current time, and waiting."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """Provides the time and sleeps."""

    @abstractmethod
    def now(self) -> datetime:
        """Returns the current time as an aware datetime in UTC."""

    @abstractmethod
    def monotonic(self) -> float:
        """Returns the seconds since an arbitrary moment; the value never decreases."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Returns once `monotonic` has advanced by that many seconds."""
