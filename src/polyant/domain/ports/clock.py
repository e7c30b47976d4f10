"""Port: what time is it?"""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """Tells the time and waits."""

    @abstractmethod
    def now(self) -> datetime:
        """Returns the current time, aware, in UTC."""

    @abstractmethod
    def monotonic(self) -> float:
        """Returns seconds since an arbitrary moment; never goes back."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Returns once `monotonic` has advanced by that many seconds."""
