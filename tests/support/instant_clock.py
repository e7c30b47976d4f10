"""The instant clock of the kit."""

from polyant.testing.instant_clock import InstantClock

__all__ = ["InstantClock"]
