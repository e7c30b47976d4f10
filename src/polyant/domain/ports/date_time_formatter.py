"""Port: how does the operator write the date and the time?"""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol, runtime_checkable


@runtime_checkable
class DateTimeFormatter(Protocol):
    """Writes moments in the operator's time zone and language."""

    @abstractmethod
    def describe(self, moment: datetime) -> str:
        """Returns the date and the time of an aware moment in words, to the minute."""

    @abstractmethod
    def timezone_name(self) -> str:
        """Returns the IANA name of the operator's time zone, e.g. `Europe/Rome`."""
