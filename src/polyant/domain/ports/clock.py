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

    @abstractmethod
    def describe_now(self) -> str:
        """Returns the current date and time in words, in the operator's time zone and language."""

    @abstractmethod
    def timezone_name(self) -> str:
        """Returns the IANA name of the operator's time zone, e.g. `Europe/Rome`."""
