"""Port: dates and times in the operator's format."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol, runtime_checkable


@runtime_checkable
class DateTimeFormatter(Protocol):
    """Formats moments in the operator's time zone and language."""

    @abstractmethod
    def describe(self, moment: datetime) -> str:
        """Returns the date and time of an aware datetime as text, to the minute."""

    @abstractmethod
    def describe_date(self, moment: datetime) -> str:
        """Returns the date of an aware datetime as text, without the time; the text changes once a day."""

    @abstractmethod
    def timezone_name(self) -> str:
        """Returns the IANA name of the operator's time zone, e.g. `Europe/Rome`."""
